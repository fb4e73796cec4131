/** Output of a booted handler: it reaches the log, and never ends the headers for later invocations. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { runningFunctions } from './running-functions.ts';

const functions = runningFunctions();
const json = (text: string) => JSON.parse(text) as Record<string, unknown>;

/** Prints with `code`, then needs headers: once in the same invocation, and once in the next. */
const handler = (code: string, before = '') => ({
  'index.php': `<?php ${before}
    return function ($event) {
      static $count = 0;
      if ($event === 'print') { ${code} }
      return [headers_sent(), session_start(['use_cookies' => '0', 'cache_limiter' => '']), ++$count];
    };`,
});

describe('output', () => {
  it.each([
    ['echo', 'echo "for the log\\n";'],
    ['print and printf', 'print "for "; printf("the %s\\n", "log");'],
    ['php://output', 'file_put_contents("php://output", "for the log\\n");'],
    ['var_dump', 'var_dump("for the log");'],
    ['inline HTML', '?>for the log\n<?php '],
    ['readfile', 'file_put_contents("/tmp/x", "for the log\\n"); readfile("/tmp/x");'],
    ['passthru', 'passthru("echo for the log");'],
    ['system', 'system("echo for the log");'],
    ['flush', 'echo "for the log\\n"; flush(); ob_flush(); @ob_flush(); ob_implicit_flush();'],
    ['a buffer that is left open', 'ob_start(); ob_start(); echo "for the log\\n";'],
    ['a displayed warning', 'ini_set("display_errors", "1"); trigger_error("for the log", E_USER_WARNING);'],
    ['an uncaught warning in a destructor', 'new class { function __destruct() { echo "for the log\\n"; } };'],
    ['a buffer that was discarded', 'echo "for the log\\n"; ob_start(); echo "lost"; ob_end_clean();'],
    ['a closed STDOUT', 'fclose(STDOUT); echo "for the log\\n";'],
    ['phpinfo', 'phpinfo(INFO_GENERAL); echo "for the log\\n";'],
  ])('by %s reaches the log, and headers stay possible', async (_name, code) => {
    const { wrote, output } = functions.start('index.php', handler(code));
    expect((await functions.api.invoke('"print"')).body).toBe('[false,true,1]');
    await wrote('for the log');
    expect((await functions.api.invoke('1')).body).toBe('[false,true,2]');
    expect(output()).not.toContain('lost');
  });

  it('while booting reaches the log, and headers stay possible', async () => {
    const files = handler('echo "in the handler\\n";', 'echo "while booting\\n"; ob_start(); echo "buffered\\n";');
    const { wrote } = functions.start('index.php', files);
    expect((await functions.api.invoke('"print"')).body).toBe('[false,true,1]');
    await wrote('while booting');
    await wrote('buffered');
    await wrote('in the handler');
    expect((await functions.api.invoke('1')).body).toBe('[false,true,2]');
  });

  it('is in the log at once, in the order of the program', async () => {
    const code = 'for ($n = 0; $n < 3; $n++) { echo "$n\\n"; error_log("e$n"); } exec("kill -9 " . getmypid());';
    const { exited, output } = functions.start('index.php', handler(code));
    void functions.api.invoke('"print"');
    await exited;
    expect(output().match(/^\d$/gm)).toEqual(['0', '1', '2']);
  });

  it.each([
    ['removed', 'while (ob_get_level() > 0) ob_end_clean(); echo "for the log\\n";'],
    ['flushed and removed', 'while (@ob_end_flush()); echo "for the log\\n"; flush();'],
    ['joined by one that cannot be removed', 'ob_start(null, 0, 0); echo "for the log\\n";'],
    ['joined by one that fails', 'ob_start(fn () => false); echo "for the log\\n";'],
  ])('with all buffers %s ends the headers of one invocation only', async (_name, code) => {
    const { wrote } = functions.start('index.php', handler(code));
    const { kind } = await functions.api.invoke('"print"');
    expect(kind).toBe('response');
    await wrote('for the log');
    expect((await functions.api.invoke('1')).body).toMatch(/^\[false,true,\d\]$/);
  });

  it('of any size needs no memory', async () => {
    const code =
      'for ($n = 0; $n < 300; $n++) { echo str_repeat("x", 99999), "\\n"; } file_put_contents("/tmp/peak", memory_get_peak_usage());';
    const { tmp } = functions.start('index.php', handler(code));
    expect((await functions.api.invoke('"print"')).kind).toBe('response');
    expect(Number(readFileSync(join(tmp, 'peak'), 'utf8'))).toBeLessThan(8 << 20);
  });

  it('before a fatal error is in the log, and the next invocation has headers', async () => {
    const code = 'echo "for the log\\n"; ob_start(); echo "buffered\\n"; eval("class A {} class A {}");';
    const { wrote } = functions.start('index.php', handler(code));
    expect(json((await functions.api.invoke('"print"')).body).errorType).toBe('Lamella.FatalError');
    await wrote('buffered');
    expect((await functions.api.invoke('1')).body).toBe('[false,true,1]');
  });

  it('with LAMELLA_PIPELINE leaves headers possible too', async () => {
    const code = 'while (ob_get_level() > 0) ob_end_clean(); echo "for the log\\n";';
    functions.start('index.php', handler(code), { LAMELLA_PIPELINE: '1' });
    expect((await functions.api.invoke('1')).body).toBe('[false,true,1]');
    expect((await functions.api.invoke('"print"')).kind).toBe('response');
    expect((await functions.api.invoke('1')).body).toMatch(/^\[false,true,\d\]$/);
  });
});
