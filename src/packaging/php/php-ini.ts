/**
 * The php.ini beside `/opt/bin/php`, which PHP reads first. So it applies to Lamella's runtime, to a custom bootstrap
 * with `#!/opt/bin/php` and to child processes, without an argument or a variable. The runtime's bootstrap sets what
 * depends on the function (memory_limit, the project's ini files).
 */

/** Settings for a process that handles invocations one by one and ends with its environment. */
const SETTINGS: readonly (readonly [name: string, value: string, reason: string])[] = [
  ['variables_order', '"EGPCS"', 'E: $_ENV contains the environment'],
  ['request_order', '"GP"', 'no cookies in $_REQUEST'],
  ['display_errors', '0', 'errors belong in the log, not in a response'],
  ['log_errors', '1', 'without error_log the CLI logs to stderr, which is the log of the function'],
  ['html_errors', '0', ''],
  [
    'memory_limit',
    '-1',
    'the runtime sets a limit below that of the function, to report an error before the kernel kills PHP',
  ],
  ['max_execution_time', '0', 'the timeout of the function applies'],
  ['post_max_size', '6M', 'the maximum payload of Lambda'],
  ['upload_max_filesize', '6M', ''],
  ['sys_temp_dir', '"/tmp"', 'the only writable directory'],
  ['upload_tmp_dir', '"/tmp"', ''],
  ['session.save_path', '"/tmp"', ''],
  ['date.timezone', '"UTC"', ''],
  ['precision', '14', ''],
  ['serialize_precision', '-1', 'shortest exact floats in JSON'],
  ['zend.assertions', '-1', ''],
  ['zend.exception_ignore_args', '1', 'no secrets in stack traces'],
  ['realpath_cache_ttl', '3600', 'the code of a function does not change'],
  ['opcache.enable_cli', '0', 'a long-running process compiles each file once, and a cold opcache makes that slower'],
];

export type PhpIni = {
  readonly extensionDirectory: string;
  /** In loading order. */
  readonly extensions: readonly string[];
};

/** Renders the text of the ini file. */
export function renderPhpIni({ extensionDirectory, extensions }: PhpIni): string {
  const lines = SETTINGS.map(([name, value, reason]) => `${name} = ${value}${reason === '' ? '' : ` ; ${reason}`}`);
  const loads = extensions.map((name) => `${name === 'opcache' ? 'zend_extension' : 'extension'} = ${name}`);
  return `${[`extension_dir = "${extensionDirectory}"`, ...loads, '', ...lines].join('\n')}\n`;
}
