import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type RuntimeUnderTest, startRuntime } from '../../../test/support/runtime-harness.ts';
import { managedRuntimePlan } from './managed-runtime.ts';

let directory: string;
let running: RuntimeUnderTest | undefined;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'lamella-managed-runtime-'));
});
afterEach(async () => {
  await running?.close();
  running = undefined;
  rmSync(directory, { recursive: true, force: true });
});

/** Starts a function according to its plan, in a sandbox with only /usr of the host. */
async function start(runtime: string, files: Readonly<Record<string, string>>, handler = 'index.handler') {
  const plan = managedRuntimePlan(runtime);
  if ('reason' in plan) throw new Error(plan.reason);
  for (const [name, content] of Object.entries(files)) writeFileSync(join(directory, name), content);
  const inside = [
    ...['--ro-bind', '/usr', '/usr', '--symlink', 'usr/lib', '/lib', '--symlink', 'usr/lib64', '/lib64'],
    ...['--symlink', 'usr/bin', '/bin', '--proc', '/proc', '--dev', '/dev', '--tmpfs', '/tmp'],
    ...plan.mounts.flatMap(({ source, target }) => ['--ro-bind', source, target]),
    ...['--ro-bind', directory, '/var/task', '--chdir', '/var/task', '--unshare-pid', '--die-with-parent'],
  ];
  running = await startRuntime({
    argv: ['bwrap', ...inside, plan.bootstrapPath],
    task: directory,
    handler,
    variables: {
      PATH: '/var/lang/bin:/usr/local/bin:/usr/bin/:/bin:/opt/bin',
      LAMBDA_TASK_ROOT: '/var/task',
      ...plan.variables,
    },
  });
  return running;
}

async function invoke(started: RuntimeUnderTest, event: unknown = {}): Promise<{ kind: string; body: unknown }> {
  const response = await started.invoke(event);
  if (!('payload' in response)) throw new Error(`${response.kind}: ${started.output()}`);
  return { kind: response.kind, body: JSON.parse(response.payload.toString()) };
}

describe('a managed Node.js runtime', () => {
  it.each(['nodejs20.x', 'nodejs22.x', 'nodejs24.x'])(
    '%s runs handlers on the Node.js of this machine',
    async (runtime) => {
      const source = 'exports.handler = async (event) => ({ event, in: process.env.AWS_EXECUTION_ENV });';
      const started = await start(runtime, { 'index.js': source });
      expect(await invoke(started, [1])).toEqual({
        kind: 'response',
        body: { event: [1], in: `AWS_Lambda_${runtime}` },
      });
    },
  );

  it('warns when another version is used', () => {
    const host = { nodeVersion: '20.20.2' };
    expect(managedRuntimePlan('nodejs20.x', host)).not.toHaveProperty('warning');
    expect(managedRuntimePlan('nodejs22.x', host)).toMatchObject({
      warning:
        'nodejs22.x runs on Node.js 20.20.2; compiled modules may not load. ' +
        'To fetch Node.js 22, run: lamella layer build node --version 22',
    });
  });

  it('prefers the exact version once it has been fetched', () => {
    const bin = join(directory, `npm/node-linux-${process.arch}@22.23.3/bin`);
    mkdirSync(bin, { recursive: true });
    writeFileSync(join(bin, 'node'), '');
    const plan = managedRuntimePlan('nodejs22.x', { nodeVersion: '20.20.2', cacheDir: directory });
    expect(plan).not.toHaveProperty('warning');
    expect(plan).toMatchObject({
      mounts: expect.arrayContaining([
        { source: join(bin, 'node'), target: '/var/lang/bin/node', access: 'read-only' },
      ]),
    });
  });
});

describe('a managed Python runtime', () => {
  const host = execFileSync('/usr/bin/python3', ['-c', 'import sys; print("%d.%d" % sys.version_info[:2])'], {
    encoding: 'utf8',
  }).trim();

  it('runs handlers with a complete context', async () => {
    const started = await start('python3.12', {
      'index.py': `
import os
from decimal import Decimal
def handler(event, context):
    return {"event": event, "n": Decimal("1.5"), "name": context.function_name, "memory": context.memory_limit_in_mb,
            "arn": context.invoked_function_arn, "left": context.get_remaining_time_in_millis() > 0,
            "who": context.client_context and context.client_context.custom, "trace": os.environ["_X_AMZN_TRACE_ID"][:4]}
`,
    });
    expect(await invoke(started, { a: 'ü' })).toEqual({
      kind: 'response',
      body: {
        event: { a: 'ü' },
        n: 1.5,
        name: 'under-test',
        memory: '128',
        arn: 'arn:aws:lambda:us-east-1:123456789012:function:under-test',
        left: true,
        who: null,
        trace: 'Root',
      },
    });
  });

  it("reports a handler's exception as AWS's runtime does, and continues", async () => {
    const started = await start('python3.12', {
      'index.py': 'def handler(event, context):\n    raise ValueError("no " + event)\n',
    });
    for (const event of ['1', '2']) {
      const response = await invoke(started, event);
      expect(response).toEqual({
        kind: 'error',
        body: {
          errorMessage: `no ${event}`,
          errorType: 'ValueError',
          requestId: expect.stringMatching(/^[0-9a-f-]{36}$/),
          stackTrace: ['  File "/var/task/index.py", line 2, in handler\n    raise ValueError("no " + event)\n'],
        },
      });
    }
    await started.ready();
    expect(started.output().split('\n')[0]).toBe(
      '[ERROR] ValueError: no 1\rTraceback (most recent call last):\r' +
        '\u00a0\u00a0File "/var/task/index.py", line 2, in handler\r\u00a0\u00a0\u00a0\u00a0raise ValueError("no " + event)',
    );
  });

  it.each([
    ['nothing.handler', 'Runtime.ImportModuleError', "Unable to import module 'nothing': No module named 'nothing'"],
    ['index.nothing', 'Runtime.HandlerNotFound', "Handler 'nothing' missing on module 'index'"],
    ['index', 'Runtime.MalformedHandlerName', "Bad handler 'index': not enough values to unpack (expected 2, got 1)"],
    [
      'broken.handler',
      'Runtime.UserCodeSyntaxError',
      "Syntax error in module 'broken': invalid syntax (broken.py, line 1)",
    ],
    ['raising.handler', 'KeyError', "'x'"],
  ])('fails to initialize with the handler %s', async (handler, errorType, errorMessage) => {
    const files = { 'index.py': '', 'broken.py': 'def = 1\n', 'raising.py': '{}["x"]\n' };
    const started = await start('python3.12', files, handler);
    const result = await started.initialized;
    expect(result.kind === 'failed' && JSON.parse(result.body)).toMatchObject({ errorType, errorMessage });
    expect(await started.ended).toMatchObject({ code: 1 });
  });

  it('rejects results that cannot be written as JSON', async () => {
    const started = await start('python3.12', { 'index.py': 'def handler(event, context):\n    return {1, 2}\n' });
    expect(await invoke(started)).toMatchObject({
      kind: 'error',
      body: {
        errorType: 'Runtime.MarshalError',
        errorMessage: 'Unable to marshal response: Object of type set is not JSON serializable',
      },
    });
  });

  it('logs through the logging module, one event per record', async () => {
    const started = await start('python3.12', {
      'index.py': 'import logging\ndef handler(event, context):\n    logging.warning("a\\nb")\n    print("c")\n',
    });
    await invoke(started);
    await started.ready();
    expect(started.output()).toMatch(/^\[WARNING\]\t\d{4}-\d\d-\d\dT[\d:.]{12}Z\t[0-9a-f-]{36}\ta\rb\nc\n$/);
  });

  it('warns when another Python version is used', () => {
    expect(managedRuntimePlan(`python${host}`)).not.toHaveProperty('warning');
    expect(managedRuntimePlan('python3.99')).toMatchObject({ warning: expect.stringContaining(host) });
  });

  it('is not available without a Python interpreter', () => {
    expect(managedRuntimePlan('python3.12', { pythonDirectories: [directory] })).toEqual({
      reason: expect.stringContaining('apt-get install python3'),
    });
  });
});

it.each(['java21', 'ruby3.4', 'dotnet8'])('%s is rejected with a reason that names the alternatives', (runtime) => {
  expect(managedRuntimePlan(runtime)).toEqual({
    reason: expect.stringMatching(new RegExp(`^Lamella does not support the runtime ${runtime}\\..*provided\\.al2023`)),
  });
});
