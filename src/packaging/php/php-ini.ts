/**
 * The php.ini that lies beside `/opt/bin/php`, where PHP looks first: so it holds for our runtime, for a user's own
 * `#!/opt/bin/php` bootstrap and for any child process alike, without an argument or a variable. What depends on the
 * function (memory_limit, the project's own ini files) is set by the runtime's bootstrap.
 */

/** Settings for a process that answers invocations one after another and dies with its environment. */
const SETTINGS: readonly (readonly [name: string, value: string, why: string])[] = [
  ['variables_order', '"EGPCS"', 'with E, $_ENV holds the environment'],
  ['request_order', '"GP"', 'cookies stay out of $_REQUEST'],
  ['display_errors', '0', 'an error belongs in the log, not in an answer'],
  ['log_errors', '1', 'without error_log the CLI writes to stderr, which is the function log'],
  ['html_errors', '0', ''],
  [
    'memory_limit',
    '-1',
    'the limit of the function holds; the runtime sets a lower one, to report before the kernel kills',
  ],
  ['max_execution_time', '0', 'the timeout of the function holds'],
  ['post_max_size', '6M', 'the most that Lambda hands over'],
  ['upload_max_filesize', '6M', ''],
  ['sys_temp_dir', '"/tmp"', 'the only folder that can be written'],
  ['upload_tmp_dir', '"/tmp"', ''],
  ['session.save_path', '"/tmp"', ''],
  ['date.timezone', '"UTC"', ''],
  ['precision', '14', ''],
  ['serialize_precision', '-1', 'floats in JSON as short as they can be read back'],
  ['zend.assertions', '-1', ''],
  ['zend.exception_ignore_args', '1', 'no secrets in stack traces'],
  ['realpath_cache_ttl', '3600', 'the code of a function does not change under it'],
  ['opcache.enable_cli', '0', 'a process that lives on compiles each file once; a cold opcache makes that slower'],
];

export type PhpIni = {
  readonly extensionDirectory: string;
  /** In the order of loading. */
  readonly extensions: readonly string[];
};

/** The text of the ini file. */
export function renderPhpIni({ extensionDirectory, extensions }: PhpIni): string {
  const lines = SETTINGS.map(([name, value, why]) => `${name} = ${value}${why === '' ? '' : ` ; ${why}`}`);
  const loads = extensions.map((name) => `${name === 'opcache' ? 'zend_extension' : 'extension'} = ${name}`);
  return `${[`extension_dir = "${extensionDirectory}"`, ...loads, '', ...lines].join('\n')}\n`;
}
