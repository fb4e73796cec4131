/** Common failures, each through the real service, sandbox and SDK. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { shellRuntime } from '../support/function-zip.ts';
import { type Invoked, type RunningService, startService } from '../support/running-service.ts';

let service: RunningService;

beforeAll(async () => {
  service = await startService();
});
afterAll(() => service.close());

const ID = /[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/g;

/** The payload, with its request ID compared with the response's and replaced by `<id>`. */
function payloadOf(invoked: Invoked): unknown {
  const requestId = invoked.response.$metadata.requestId ?? '';
  for (const id of invoked.payload.match(ID) ?? []) expect(id).toBe(requestId);
  return JSON.parse(invoked.payload.replace(ID, '<id>'));
}

/** The kinds of lines in a log, in order: platform lines by their first word, others unchanged. */
function kinds(log: string): string[] {
  return log
    .split('\n')
    .filter((line) => line !== '')
    .map((line) =>
      /^(INIT_START|INIT_REPORT|START|END|REPORT|EXTENSION) /.exec(line) ? (line.split(' ')[0] ?? '') : line,
    );
}

describe('a function that fails', () => {
  it('reports an error of the handler byte for byte, and continues', async () => {
    await service.createFunction('handler-error', {
      bootstrap: shellRuntime(
        `case "$EVENT" in *bad*) fail '{"errorMessage":"no good","errorType":"Bad"}';; *) respond "$EVENT";; esac`,
      ),
    });
    const failed = await service.invoke('handler-error', { bad: 1 });
    expect([failed.status, failed.functionError, failed.payload]).toEqual([
      200,
      'Unhandled',
      '{"errorMessage":"no good","errorType":"Bad"}',
    ]);
    expect(failed.log).toMatch(/\tInit Duration: [\d.]+ ms\t\n$/);
    const next = await service.invoke('handler-error', { good: 1 });
    expect([next.functionError, next.payload]).toEqual([undefined, '{"good":1}']);
    expect(next.log).not.toContain('Init Duration');
  });

  it('that exits during init is initialized once more inside the invocation', async () => {
    await service.createFunction('exits-during-init', { bootstrap: '#!/bin/sh\necho starting\nexit 7\n' });
    const invoked = await service.invoke('exits-during-init');
    expect(invoked.functionError).toBe('Unhandled');
    expect(payloadOf(invoked)).toEqual({
      errorType: 'Runtime.ExitError',
      errorMessage: 'RequestId: <id> Error: Runtime exited with error: exit status 7',
    });
    expect(kinds(invoked.log)).toEqual([
      'starting',
      'INIT_REPORT',
      'starting',
      'INIT_REPORT',
      'START',
      'END',
      'REPORT',
    ]);
    expect(invoked.log).toMatch(
      /INIT_REPORT Init Duration: [\d.]+ ms\tPhase: init\tStatus: error\tError Type: Runtime.ExitError\n/,
    );
    expect(invoked.log).toMatch(
      /INIT_REPORT Init Duration: [\d.]+ ms\tPhase: invoke\tStatus: error\tError Type: Runtime.ExitError\n/,
    );
    expect(invoked.log).toMatch(/\tStatus: error\tError Type: Runtime.ExitError\n$/);
    expect(invoked.log).not.toMatch(/REPORT RequestId.*Init Duration/);
  });

  it('that exits without an error is reported to have given no reason', async () => {
    await service.createFunction('exits-in-invoke', { bootstrap: shellRuntime('exit 0') });
    expect(payloadOf(await service.invoke('exits-in-invoke'))).toEqual({
      errorType: 'Runtime.ExitError',
      errorMessage: 'RequestId: <id> Error: Runtime exited without providing a reason',
    });
  });

  it.each([
    ['exit 137', 'exit status 137'],
    ['kill -9 $$', 'signal: killed'],
    ['kill -SEGV $$', 'signal: segmentation fault'],
    ['kill -TERM $$', 'signal: terminated'],
    ['kill -ABRT $$', 'signal: aborted'],
  ])('by %s is reported as %s', async (command, text) => {
    const name = `dies-${text.replaceAll(/\W+/g, '-')}`;
    await service.createFunction(name, {
      bootstrap: shellRuntime(`case "$EVENT" in *die*) ${command};; esac; respond 1`),
    });
    const invoked = await service.invoke(name, { die: true });
    expect(payloadOf(invoked)).toEqual({
      errorType: 'Runtime.ExitError',
      errorMessage: `RequestId: <id> Error: Runtime exited with error: ${text}`,
    });
    expect(invoked.log).toMatch(/\tInit Duration: [\d.]+ ms\tStatus: error\tError Type: Runtime\.ExitError\n$/);
    expect((await service.invoke(name)).payload).toBe('1');
  });

  it('that times out is killed with its children, and the error has two decimals', async () => {
    await service.createFunction(
      'times-out',
      {
        bootstrap: shellRuntime(
          `case "$EVENT" in *slow*) echo before; touch /tmp/was-here; sleep 1000 & wait;; esac; respond "\\"$(ls /tmp | grep -c was-here)\\""`,
        ),
      },
      { Timeout: 1 },
    );
    await service.invoke('times-out');
    const invoked = await service.invoke('times-out', { slow: true });
    expect(payloadOf(invoked)).toEqual({
      errorType: 'Sandbox.Timedout',
      errorMessage: 'RequestId: <id> Error: Task timed out after 1.00 seconds',
    });
    expect(kinds(invoked.log)).toEqual(['START', 'before', 'END', 'REPORT']);
    expect(invoked.log).toMatch(/\tDuration: 1000\.00 ms\tBilled Duration: 1000 ms\t.*\tStatus: timeout\n$/);
    const next = await service.invoke('times-out');
    expect([next.functionError, next.payload]).toEqual([undefined, '"1"']);
    expect(next.log).not.toContain('Init Duration');
  });

  it.each([
    ['missing', { 'other.txt': 'x' }, "Couldn't find valid bootstrap(s): [/var/task/bootstrap /opt/bootstrap]"],
    [
      'not-executable',
      { bootstrap: { content: '#!/bin/sh\n', mode: 0o644 } },
      'fork/exec /var/task/bootstrap: permission denied',
    ],
    ['no-shebang', { bootstrap: 'echo hello\n' }, 'fork/exec /var/task/bootstrap: exec format error'],
    [
      'missing-interpreter',
      { bootstrap: '#!/opt/bin/php\n' },
      'fork/exec /var/task/bootstrap: no such file or directory',
    ],
    ['crlf', { bootstrap: '#!/bin/sh\r\necho\r\n' }, 'fork/exec /var/task/bootstrap: no such file or directory'],
    [
      'other-machine',
      {
        bootstrap: Buffer.concat([
          Buffer.from('7f454c4602010100', 'hex'),
          Buffer.alloc(8),
          Buffer.from('0200f3000100', 'hex'),
          Buffer.alloc(100),
        ]),
      },
      'fork/exec /var/task/bootstrap: exec format error',
    ],
  ])('with a bootstrap that is %s reports why', async (name, files, text) => {
    await service.createFunction(`bootstrap-${name}`, files);
    const invoked = await service.invoke(`bootstrap-${name}`);
    expect(invoked.functionError).toBe('Unhandled');
    expect(payloadOf(invoked)).toEqual({
      errorType: 'Runtime.InvalidEntrypoint',
      errorMessage: `RequestId: <id> Error: ${text}`,
    });
    expect(kinds(invoked.log)).toEqual(['INIT_REPORT', 'INIT_REPORT', 'START', 'END', 'REPORT']);
    expect(invoked.log).toMatch(/\tStatus: error\tError Type: Runtime\.InvalidEntrypoint\n$/);
  });

  it('whose response is too large fails, and its environment continues', async () => {
    await service.createFunction('too-large', {
      bootstrap: shellRuntime(`if [ "$EVENT" = '"big"' ]; then head -c 6291557 /dev/zero | tr '\\0' x > /tmp/big
  curl -sS -o /dev/null -X POST -H 'Expect:' --data-binary @/tmp/big "$API/invocation/$ID/response"; else respond "\\"$$\\""; fi`),
    });
    const before = await service.invoke('too-large');
    const invoked = await service.invoke('too-large', '"big"');
    expect(invoked.payload).toBe(
      '{"errorType":"Function.ResponseSizeTooLarge","errorMessage":"Response payload size exceeded maximum allowed payload size (6291556 bytes)."}',
    );
    expect(invoked.functionError).toBe('Unhandled');
    expect((await service.invoke('too-large')).payload).toBe(before.payload);
  });

  it('that reports init/error fails with its own error', async () => {
    await service.createFunction('init-error', {
      bootstrap: shellRuntime('', `init_error '{"errorType":"Import","errorMessage":"cannot"}'; exit 1`),
    });
    const invoked = await service.invoke('init-error');
    expect(invoked.payload).toBe('{"errorType":"Import","errorMessage":"cannot"}');
    expect(invoked.log).toMatch(/\tStatus: error\tError Type: Runtime\.BadInit\n$/);
  });

  it("that does not exist, and a payload that is not JSON, are rejected with AWS's messages", async () => {
    await expect(service.invoke('nowhere')).rejects.toMatchObject({
      name: 'ResourceNotFoundException',
      message: 'Function not found: arn:aws:lambda:us-east-1:123456789012:function:nowhere:$LATEST',
      $metadata: { httpStatusCode: 404 },
    });
    await expect(service.invoke('handler-error', '{"a":')).rejects.toMatchObject({
      name: 'InvalidRequestContentException',
      $metadata: { httpStatusCode: 400 },
    });
  });
});
