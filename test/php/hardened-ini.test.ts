/** `disable_functions` and `open_basedir` in the project's ini files apply to the project, and do not stop the runtime. */
import { describe, expect, it } from 'vitest';
import { runningFunctions } from './running-functions.ts';

const functions = runningFunctions({ webServer: true });

/** What guides for web servers recommend, and more. */
const DISABLED = [
  'exec,passthru,shell_exec,system,proc_open,popen,proc_close,proc_get_status,proc_terminate,proc_nice',
  'pcntl_alarm,pcntl_fork,pcntl_waitpid,pcntl_wait,pcntl_signal,pcntl_signal_dispatch,pcntl_exec,pcntl_async_signals',
  'putenv,ini_set,ini_get_all,ini_restore,getmypid,glob,parse_ini_file,set_error_handler,register_shutdown_function',
  'stream_socket_client,stream_socket_server,stream_socket_pair,fsockopen,readlink,umask,chdir,tempnam,setlocale',
  'posix_kill,escapeshellarg,symlink,dl,phpinfo,error_log,getenv,mt_srand,session_start,spl_autoload_register',
].join(',');
const FUNCTIONS = `disable_functions = "${DISABLED}"\n`;
const DIRECTORIES = 'open_basedir = "/var/task"\n';
const CHECK = `[function_exists('exec'), function_exists('proc_open'), function_exists('pcntl_fork'), @is_file('/usr/bin/env'),
  str_contains((string) @file_get_contents('/var/task/index.php'), 'CHECK')]`;

const json = (text: string) => JSON.parse(text) as Record<string, unknown>;
const httpEvent = JSON.stringify({
  version: '2.0',
  rawPath: '/',
  rawQueryString: '',
  headers: { host: 'example.com' },
  requestContext: { stage: '$default', http: { method: 'GET', path: '/', sourceIp: '192.0.2.1' } },
});

describe.each([
  ['disable_functions', FUNCTIONS, [false, false, false, true, true]],
  ['open_basedir', DIRECTORIES, [true, true, true, false, true]],
  ['both', FUNCTIONS + DIRECTORIES, [false, false, false, false, true]],
])('with %s', (_setting, ini, expected) => {
  const files = (code: string) => ({ 'php/conf.d/hardened.ini': ini, 'index.php': `<?php /* CHECK */ ${code}` });

  it('a handler runs, and PHP survives exceptions, exit() and restarts', async () => {
    const code = `return function ($event) {
      static $count = 0;
      if ($event === 'throw') throw new LogicException('thrown');
      if ($event === 'exit') exit(1);
      echo "in the log\\n";
      session_status();
      return [${CHECK}, ++$count];
    };`;
    const { wrote } = functions.start('index.php', files(code), { LAMELLA_MAX_INVOCATIONS: '4' });
    expect((await functions.api.invoke('1')).body).toBe(JSON.stringify([expected, 1]));
    await wrote('in the log');
    expect(json((await functions.api.invoke('"throw"')).body).errorType).toBe('LogicException');
    expect(json((await functions.api.invoke('"exit"')).body).errorType).toBe('Lamella.HandlerExited');
    for (const count of [1, 2, 3, 4, 1]) {
      expect((await functions.api.invoke('1')).body).toBe(JSON.stringify([expected, count]));
    }
  });

  it('scripts run under php-cgi', async () => {
    functions.start('index.php', files(`echo json_encode(${CHECK});`), { LAMELLA_MODE: 'http' });
    for (let call = 0; call < 2; call++) {
      expect(JSON.parse(String(json((await functions.api.invoke(httpEvent)).body).body))).toEqual(expected);
    }
  });

  it('console commands run', async () => {
    functions.start('index.php', files(`echo json_encode(${CHECK});`), { LAMELLA_MODE: 'console' });
    expect(JSON.parse(String(json((await functions.api.invoke('""')).body).output))).toEqual(expected);
  });
});

it('the functions that the runtime needs are named in the log, others are disabled', async () => {
  const { wrote } = functions.start('index.php', {
    'php/conf.d/hardened.ini': 'disable_functions = exec, getmypid,fwrite , phpinfo\n',
    'index.php': '<?php return fn () => [function_exists("exec"), function_exists("phpinfo"), getmypid() > 0];',
  });
  expect((await functions.api.invoke('1')).body).toBe('[false,false,true]');
  await wrote(
    'disable_functions contains functions that the runtime itself needs. They stay enabled: getmypid, fwrite\n',
  );
});

it("php.ini files of the project reach only the process of the project's code", async () => {
  const ini = { 'php/conf.d/my.ini': 'memory_limit = 48M\nprecision = 5\n' };
  functions.start(
    'index.php',
    { ...ini, 'index.php': '<?php echo json_encode([ini_get("memory_limit"), ini_get("precision"), 1]);' },
    { LAMELLA_MODE: 'http' },
  );
  expect(json((await functions.api.invoke(httpEvent)).body).body).toBe('["48M","5",1]');
});
