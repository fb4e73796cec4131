/** The runtime's own deadline, which stops a handler shortly before Lambda would. */

import type { AddressInfo } from 'node:net';
import { createServer } from 'node:net';
import { describe, expect, it } from 'vitest';
import { runningFunctions } from './running-functions.ts';

const functions = runningFunctions({ extensions: ['curl'] });
const json = (text: string) =>
  JSON.parse(text) as Record<string, unknown> & { errorMessage: string; stackTrace: string[] };

/** Invokes with this timeout. Returns the response and the milliseconds that were left when it arrived. */
async function invoke(payload: string, milliseconds: number) {
  // Initialization does not count toward the timeout.
  await functions.api.firstNext;
  const deadline = Date.now() + milliseconds;
  const answer = await functions.api.invoke(payload, { 'Lambda-Runtime-Deadline-Ms': String(deadline) });
  return { ...answer, left: deadline - Date.now() };
}

describe('a handler that does not return in time', () => {
  it.each([
    ['computes', 'while (true) { strlen("x"); }', 1000],
    ['sleeps', 'sleep(60);', 1000],
    ['sleeps, with more than a second', 'usleep(60_000_000);', 2300],
  ])(
    'and %s is stopped with an error that shows where it was, and the process continues',
    async (_name, code, milliseconds) => {
      const { wrote } = functions.start('index.php', {
        'index.php': `<?php function work() { ${code} }\nreturn function ($e) { static $n = 0; $n++; if ($e === "hang") {\n work(); } return $n; };`,
      });
      expect((await invoke('1', milliseconds)).body).toBe('1');
      const { kind, body, left } = await invoke('"hang"', milliseconds);
      expect(kind).toBe('error');
      expect(json(body)).toMatchObject({
        errorType: 'Lamella\\TimedOut',
        errorMessage: expect.stringContaining("before the function's timeout"),
      });
      expect(json(body).stackTrace.join('\n')).toContain('/var/task/index.php(3): work()');
      expect(left).toBeGreaterThan(0);
      expect((await invoke('1', milliseconds)).body).toBe('3');
      await wrote('Invoke Error');
    },
  );

  it.each(['Text', 'JSON'])(
    'because a library waits for a server is logged with the address of the server, in %s format',
    async (format) => {
      const server = createServer(() => undefined);
      await new Promise<void>((settle) => server.listen(0, '127.0.0.1', settle));
      const { port } = server.address() as AddressInfo;
      const { wrote, output } = functions.start(
        'index.php',
        {
          'index.php':
            '<?php return function ($url) { $c = curl_init($url); curl_setopt($c, CURLOPT_RETURNTRANSFER, true); curl_setopt($c, CURLOPT_TIMEOUT, 3); return curl_exec($c); };',
        },
        { AWS_LAMBDA_LOG_FORMAT: format },
      );
      const pending = invoke(JSON.stringify(`http://127.0.0.1:${port}/`), 1000);
      await wrote(`Connections: 127.0.0.1:${port} (connected). Set a timeout on that client.`);
      if (format === 'JSON')
        expect(json(output().trim().split('\n')[0] ?? '')).toMatchObject({
          level: 'WARN',
          requestId: expect.stringMatching(/-/),
        });
      await pending;
      server.close();
    },
  );

  it('because a stream waits for a server continues, because the stream times out first', async () => {
    const server = createServer(() => undefined);
    await new Promise<void>((settle) => server.listen(0, '127.0.0.1', settle));
    const { port } = server.address() as AddressInfo;
    functions.start('index.php', {
      'index.php': '<?php return fn ($url) => [@file_get_contents($url), ini_get("default_socket_timeout")];',
    });
    const { body, left } = await invoke(JSON.stringify(`http://127.0.0.1:${port}/`), 2700);
    expect(JSON.parse(body)).toEqual([false, '2']);
    expect(left).toBeGreaterThan(120);
    server.close();
  });

  it('because it waits for all children finds only its own', async () => {
    functions.start('index.php', {
      'index.php':
        '<?php return function () { if (pcntl_fork() === 0) { pcntl_exec("/bin/true"); } $n = 0; while (pcntl_wait($status) > 0) { $n++; } return $n; };',
    });
    expect((await invoke('1', 3000)).body).toBe('1');
  });

  it('is left to Lambda with LAMELLA_DEADLINE=0', async () => {
    functions.start(
      'index.php',
      { 'index.php': '<?php return function () { usleep(500_000); return "ended"; };' },
      { LAMELLA_DEADLINE: '0' },
    );
    expect((await invoke('1', 400)).body).toBe('"ended"');
  });
});

describe('a handler that returns in time', () => {
  it('is not interrupted, even if it sleeps for most of its time', async () => {
    functions.start('index.php', {
      'index.php':
        '<?php return function () { $t = microtime(true); usleep(700_000); return microtime(true) - $t > 0.69; };',
    });
    for (let call = 0; call < 3; call++) expect((await invoke('1', 1000)).body).toBe('true');
  });
});
