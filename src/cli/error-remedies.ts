/**
 * What to do about common errors of functions, most of which come from a package or layer that lacks something. Each row
 * is a pattern of the error's message and the remedy. Only hints: an error without a row is shown without a remedy.
 */
/** The error of a function, from its payload or its log. */
export type FunctionError = {
  readonly type: string;
  readonly message: string;
  readonly trace: readonly string[];
  readonly cause: FunctionError | undefined;
};

/** PHP's functions and classes by the extension that defines them. JSON, PCRE, SPL and others are always there. */
const PHP_SYMBOLS: readonly (readonly [RegExp, string])[] = [
  [/^mb_/, 'mbstring'],
  [/^(curl_|CURLFile$)/i, 'curl'],
  [/^(openssl_|OpenSSL)/i, 'openssl'],
  [/^(bcadd|bcsub|bcmul|bcdiv|bcmod|bcpow|bccomp|bcsqrt|bcscale|bcround|BcMath\\)/i, 'bcmath'],
  [/^(gmp_|GMP$)/i, 'gmp'],
  [/^(sodium_)/i, 'sodium'],
  [/^(simplexml_|SimpleXML)/i, 'simplexml'],
  [/^(xml_parser_|xml_parse|XMLParser$)/i, 'xml'],
  [/^(XMLReader)$/i, 'xmlreader'],
  [/^(XMLWriter|xmlwriter_)/i, 'xmlwriter'],
  [/^(DOM(Document|XPath|Element|Node)|Dom\\)/i, 'dom'],
  [/^(XSLTProcessor)$/i, 'xsl'],
  [/^(Soap(Client|Server|Fault|Header|Param|Var)|is_soap_fault)$/i, 'soap'],
  [/^(ZipArchive|zip_)/i, 'zip'],
  [
    /^(image(create|jpeg|png|gif|webp|avif|copy|resize|scale|rotate|string|ttf|filter|crop|destroy|color|s[xy]\b)|gd_info|GdImage)/i,
    'gd',
  ],
  [/^exif_/, 'exif'],
  [/^(ftp_)/i, 'ftp'],
  [/^(ldap_|LDAP\\)/i, 'ldap'],
  [/^(iconv)/i, 'iconv'],
  [/^(ctype_)/i, 'ctype'],
  [/^(finfo_|finfo$|mime_content_type$)/i, 'fileinfo'],
  [/^(posix_)/i, 'posix'],
  [/^(pcntl_)/i, 'pcntl'],
  [/^(socket_(?!set_(blocking|timeout)$|get_status$)|Socket$)/i, 'sockets'],
  [/^(token_get_all|token_name|PhpToken)$/i, 'tokenizer'],
  [/^(gettext|ngettext|dgettext|textdomain|bindtextdomain|_)$/i, 'gettext'],
  [/^(cal_|jdto|gregoriantojd|easter_da)/i, 'calendar'],
  [/^(mysqli_|mysqli(_stmt|_result|_driver)?$)/i, 'mysqli'],
  [/^pg_/i, 'pgsql'],
  [/^SQLite3/i, 'sqlite3'],
  [/^(PDO|PDOException|PDOStatement)$/i, 'pdo'],
  [/^(apcu_|APCu)/i, 'apcu'],
  [/^(igbinary_)/i, 'igbinary'],
  [/^(msgpack_|MessagePack)/i, 'msgpack'],
  [/^(Redis(Cluster|Array|Sentinel|Exception)?)$/i, 'redis'],
  [/^(Memcached)$/i, 'memcached'],
  [/^(Imagick(Draw|Pixel)?)$/i, 'imagick'],
  [/^(AMQP(Connection|Channel|Queue|Exchange))$/i, 'amqp'],
  [/^(MongoDB\\Driver\\)/i, 'mongodb'],
  [/^(yaml_)/i, 'yaml'],
  [
    /^(intl_|normalizer_|grapheme_|idn_to_|collator_|numfmt_|datefmt_|msgfmt_|locale_|transliterator_|Collator$|NumberFormatter$|Normalizer$|Locale$|MessageFormatter$|ResourceBundle$|Transliterator$|Spoofchecker$|Intl(DateFormatter|Calendar|TimeZone|BreakIterator|Char)$)/i,
    'intl',
  ],
];

const PDO_DRIVERS = ['pdo_mysql', 'pdo_pgsql', 'pdo_sqlite'];

/** The remedy for an error or for one of its causes; undefined if none is known. */
export function remedyOf(error: FunctionError): string | undefined {
  return ofMessage(error) ?? (error.cause ? remedyOf(error.cause) : undefined);
}

function ofMessage({ type, message }: FunctionError): string | undefined {
  return ofPhp(message) ?? ofNode(type, message) ?? ofPython(message) ?? ofPlatform(type, message);
}

function ofPhp(message: string): string | undefined {
  const symbol =
    /Call to undefined function (\\?[\w\\]+)\(\)/.exec(message)?.[1] ??
    /(?:Class|Interface) ["']?(\\?[\w\\]+)["']? not found/.exec(message)?.[1];
  if (symbol !== undefined) {
    // PHP looks for a function in the namespace of the caller first, and names it so.
    const names = [symbol.replace(/^\\/, ''), symbol.split('\\').at(-1) ?? symbol];
    const extension = names.flatMap((name) => PHP_SYMBOLS.find(([pattern]) => pattern.test(name))?.[1] ?? [])[0];
    if (extension !== undefined) return missingExtension(extension);
    if (/not found/.test(message) && symbol.replace(/^\\/, '').includes('\\')) {
      return `The class is in neither the package nor a layer: check its namespace in composer.json, or build a layer with the project's packages: lamella layer build composer .`;
    }
  }
  if (/could not find driver/.test(message)) {
    return `The PDO driver is not in this layer: build it with --extensions +${PDO_DRIVERS.join(', +')} (the one that you need).`;
  }
  const required =
    /(?:requires?|needs?|install|enable|missing) (?:the )?(?:PHP )?(?:ext-|extension )["']?([a-z][a-z0-9_]+)/i.exec(
      message,
    )?.[1];
  if (required !== undefined) return missingExtension(required);
  if (/Failed opening required .*vendor\/autoload\.php/.test(message)) {
    return 'The package has no vendor directory: run `composer install` before you package it, or build a layer: lamella layer build composer .';
  }
  if (/Allowed memory size/.test(message)) return MORE_MEMORY;
  return undefined;
}

function missingExtension(extension: string): string {
  return `${extension} is not in this layer: build it with --extensions +${extension}`;
}

function ofNode(type: string, message: string): string | undefined {
  const module = /Cannot find (?:module|package) ['"]([^'"]+)['"]/.exec(message)?.[1];
  if (module !== undefined && /^[^./]/.test(module)) {
    return `The npm package ${module} is in neither the package nor a layer: build the package with \`lamella package\`, which includes it.`;
  }
  if (module !== undefined) {
    return 'A file is missing from the package. Check the handler (FILE.FUNCTION) and what the zip contains: unzip -l function.zip';
  }
  if (/Cannot use import statement outside a module|Unexpected token 'export'/.test(message)) {
    return 'Node.js loads the file as CommonJS: set "type": "module" in the package.json of the package, or name the file .mjs.';
  }
  if (/(require|module|exports|__dirname|__filename) is not defined in ES module scope/.test(message)) {
    return 'Node.js loads the file as an ES module: name it .cjs, or remove "type": "module" from package.json.';
  }
  if (type === 'Runtime.HandlerNotFound' || /is undefined or not exported/.test(message)) {
    return 'Check the handler: FILE.FUNCTION, where the file exports the function.';
  }
  return undefined;
}

function ofPython(message: string): string | undefined {
  const module = /No module named ['"]([\w.]+)['"]/.exec(message)?.[1];
  if (module === undefined) {
    return /^Handler '.+' missing on module/.test(message) ? 'Check the handler: FILE.FUNCTION.' : undefined;
  }
  const name = module.split('.')[0] ?? module;
  return `The Python module ${name} is in neither the package nor a layer. Install it into the directory of the package (pip install -t . ${name}), or check the handler if it is your own file.`;
}

const MORE_MEMORY =
  'Give the function more memory: aws lambda update-function-configuration --function-name NAME --memory-size MB';

function ofPlatform(type: string, message: string): string | undefined {
  if (type === 'Sandbox.Timedout' || /Task timed out after/.test(message)) {
    return 'If the function needs more time: aws lambda update-function-configuration --function-name NAME --timeout SECONDS';
  }
  if (type === 'Runtime.OutOfMemory' || (type === 'Runtime.ExitError' && /signal: killed/.test(message))) {
    return MORE_MEMORY;
  }
  if (type === 'Runtime.InvalidEntrypoint' && /Couldn't find valid bootstrap/.test(message)) {
    return 'A function with a custom runtime needs an executable file `bootstrap` in its package or in a layer. `lamella layer build php` and `lamella layer build node` build such layers.';
  }
  if (/EROFS|[Rr]ead-only file system/.test(message)) return 'A function can write only below /tmp.';
  if (/ENOSPC|[Nn]o space left on device/.test(message)) {
    return 'Give /tmp more space: aws lambda update-function-configuration --function-name NAME --ephemeral-storage Size=MB';
  }
  return undefined;
}
