/**
 * The replacement of AWS's Python runtimes: results, logs, context and failures as in AWS's own client. The expected values
 * come from awslambdaric 4.0.1.
 */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { type RuntimeUnderTest, startRuntime } from '../support/runtime-harness.ts';

const RUNTIME = resolve(import.meta.dirname, '../../runtimes/python/runtime.py');

let directory: string;
let count = 0;
const running: RuntimeUnderTest[] = [];
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'lamella-python-runtime-'));
});
afterEach(() => Promise.all(running.splice(0).map((started) => started.close())));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

async function start(files: Readonly<Record<string, string>>, variables = {}, handler = 'index.handler') {
  const task = join(directory, `task-${count++}`);
  for (const [name, content] of Object.entries(files)) {
    mkdirSync(dirname(join(task, name)), { recursive: true });
    writeFileSync(join(task, name), content);
  }
  const started = await startRuntime({
    argv: ['/usr/bin/python3', '-u', RUNTIME],
    task,
    handler,
    variables: { AWS_EXECUTION_ENV: 'AWS_Lambda_python3.12', LAMBDA_RUNTIME_DIR: '/var/runtime', ...variables },
  });
  running.push(started);
  return started;
}

/** A handler with these lines, after importing common modules. */
function handler(...lines: string[]): Readonly<Record<string, string>> {
  const modules = 'import collections, datetime, decimal, json, logging, os, sys\n';
  return { 'index.py': `${modules}def handler(event, context):\n${lines.map((line) => `    ${line}\n`).join('')}` };
}

async function answer(started: RuntimeUnderTest, event: unknown = {}, offer = {}) {
  const said = await started.invoke(event, offer);
  if (said.kind !== 'response' && said.kind !== 'error') return said;
  const { kind, payload } = said;
  return { kind, payload: payload.toString(), ...(kind === 'response' && { contentType: said.contentType }) };
}

/** The lines that the runtime wrote before it asked for the next event. */
async function lines(started: RuntimeUnderTest): Promise<string[]> {
  await answer(started);
  await started.ready();
  return started.output().split('\n').slice(0, -1);
}

describe('a result', () => {
  it.each([
    ['bytes, unchanged', 'b"raw"', 'raw', 'application/unknown'],
    ['a decimal, with all its digits', 'decimal.Decimal("12345678901234567890.10")', '12345678901234567890.10'],
    ['a decimal that is not a number', '[decimal.Decimal("NaN"), float("inf")]', '[NaN, Infinity]'],
    ['a named tuple, as an object', '[collections.namedtuple("P", "x y")(1, (2, 3))]', '[{"x": 1, "y": [2, 3]}]'],
    ['text outside ASCII', '"Wörld 🌍"', '"Wörld 🌍"'],
    ['keys of other types', '{2: "a", None: "b", True: "c"}', '{"2": "a", "null": "b", "true": "c"}'],
  ])('can be %s', async (_what, value, payload, contentType = 'application/json') => {
    const started = await start(handler(`return ${value}`));
    expect(await answer(started)).toEqual({ kind: 'response', payload, contentType });
  });

  it('is pure ASCII up to Python 3.11', async () => {
    const started = await start(handler('return "ö"'), { AWS_EXECUTION_ENV: 'AWS_Lambda_python3.11' });
    expect(await answer(started)).toMatchObject({ payload: '"\\u00f6"' });
  });

  it.each([
    ['a set', '{1}', 'Object of type set is not JSON serializable'],
    ['a circular reference', '(lambda a: (a.append(a), a)[1])([])', 'Circular reference detected'],
  ])('cannot be %s', async (_what, value, reason) => {
    const started = await start(handler(`return ${value}`));
    expect(JSON.parse(((await answer(started)) as { payload: string }).payload)).toEqual({
      errorMessage: `Unable to marshal response: ${reason}`,
      errorType: 'Runtime.MarshalError',
      requestId: expect.stringMatching(/^[0-9a-f-]{36}$/),
      stackTrace: [],
    });
  });

  it('that is too large is reported in the log, and the runtime continues', async () => {
    const started = await start(handler('return "x" * event'));
    expect(await answer(started, 7 * 1024 * 1024)).toMatchObject({ kind: 'response-too-large' });
    expect(await answer(started, 1)).toMatchObject({ payload: '"x"' });
    expect(started.output()).toMatch(
      /^\[ERROR\] \[\d{13}\] LAMBDA_RUNTIME Failed to post handler success response\. Http response code: 413\.\n$/,
    );
  });
});

describe('a failure', () => {
  it('has the lines of code without markers below them, and no frames of the runtime', async () => {
    const started = await start(handler('def inner(): return {}["x"]', 'return list(map(lambda _: inner(), [1]))'));
    const said = (await answer(started)) as { payload: string };
    expect(JSON.parse(said.payload).stackTrace).toEqual([
      expect.stringMatching(/^ {2}File ".*\/index\.py", line 4, in handler\n {4}return list\(map\(.*\)\)\n$/),
      expect.stringMatching(/^ {2}File ".*\/index\.py", line 4, in <lambda>\n {4}return list.*\n$/),
      expect.stringMatching(/^ {2}File ".*\/index\.py", line 3, in inner\n {4}def inner\(\): return \{\}\["x"\]\n$/),
    ]);
  });

  it('without a message is logged with its name only', async () => {
    expect((await lines(await start(handler('raise ValueError()'))))[0]).toMatch(/^\[ERROR\] ValueError\rTraceback /);
  });

  it('has a special name if the client context is not JSON', async () => {
    const said = (await answer(await start(handler('return 1')), {}, { clientContext: '{' })) as { payload: string };
    expect(JSON.parse(said.payload)).toMatchObject({
      errorType: 'Runtime.LambdaContextUnmarshalError',
      errorMessage: expect.stringMatching(/^Unable to parse Client Context JSON: Expecting property name/),
    });
  });

  it('can have a long message', async () => {
    const said = (await answer(await start(handler('raise ValueError("x" * 2 ** 20)')))) as { payload: string };
    expect(JSON.parse(said.payload).errorMessage.length).toBe(2 ** 20);
  });

  it.each([
    ['text that UTF-8 cannot encode', 'raise ValueError("a\\ud800b")', '[ERROR] ValueError: a\\ud800b'],
    ['a name outside Latin-1', 'raise type("Ошибка", (Exception,), {})("b")', '[ERROR] Ошибка: b'],
  ])('can have %s, and the runtime continues', async (_what, line, logged) => {
    for (const format of ['Text', 'JSON']) {
      const variables = { AWS_LAMBDA_LOG_FORMAT: format };
      const started = await start(handler('if event == 1: return 1', line), variables);
      expect(await answer(started)).toMatchObject({ kind: 'error' });
      expect(await answer(started, 1)).toMatchObject({ payload: '1' });
      if (format === 'Text') expect(started.output().split('\r')[0]).toBe(logged);
      else expect(JSON.parse(started.output())).toMatchObject({ log_level: 'ERROR' });
    }
    const started = await start({ 'index.py': `${line}\n` });
    expect(await started.initialized).toMatchObject({ kind: 'failed' });
    await started.ended;
    expect(started.output()).toContain(logged);
  });

  it.each([
    ['sys.exit(3)', 3],
    ['os._exit(4)', 4],
    ['sys.exit()', 0],
  ])('by %s ends the process', async (line, code) => {
    const started = await start(handler(line));
    expect(await answer(started)).toEqual({ kind: 'ended', code, signal: null });
  });

  it('of initialization is logged after a warning', async () => {
    const started = await start({ 'index.py': 'import nothing_of_the_kind\n' });
    expect(await started.initialized).toMatchObject({ kind: 'failed', errorType: 'Runtime.ImportModuleError' });
    await started.ended;
    expect(started.output()).toMatch(
      /^\[WARNING\]\t[\dT:.-]{23}Z\t\tLAMBDA_WARNING: Unhandled exception\. .*\r\n\[ERROR\] Runtime\.ImportModuleError: Unable to import module 'index': No module named 'nothing_of_the_kind'\rTraceback/,
    );
  });
});

describe('the log', () => {
  const json = { AWS_LAMBDA_LOG_FORMAT: 'JSON' };

  it('has one JSON object per record, with the exception and the extra members', async () => {
    const started = await start(
      handler(
        'logging.getLogger("shop").warning("sold %s", 1, extra={"order": {"a": 1}})',
        'try: 1 / 0',
        'except Exception: logging.exception("caught")',
      ),
      json,
    );
    const [sold, caught] = (await lines(started)).map((line) => JSON.parse(line));
    expect(sold).toEqual({
      timestamp: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/),
      level: 'WARNING',
      message: 'sold 1',
      logger: 'shop',
      requestId: expect.stringMatching(/^[0-9a-f-]{36}$/),
      order: { a: 1 },
    });
    expect(Object.keys(caught)).toEqual([
      ...[
        'timestamp',
        'level',
        'message',
        'logger',
        'stackTrace',
        'errorType',
        'errorMessage',
        'requestId',
        'location',
      ],
    ]);
    expect(caught).toMatchObject({
      errorType: 'ZeroDivisionError',
      location: expect.stringMatching(/index\.py:handler:5$/),
    });
  });

  it.each([
    ['DEBUG', ['d', 'i', 'w', 'e', 'c']],
    ['TRACE', ['d', 'i', 'w', 'e', 'c']],
    ['INFO', ['i', 'w', 'e', 'c']],
    ['ERROR', ['e', 'c']],
    ['FATAL', ['c']],
    ['nonsense', ['w', 'e', 'c']],
  ])('is written from the level %s on, in both formats', async (level, expected) => {
    const body = ['debug', 'info', 'warning', 'error', 'critical'].map((each) => `logging.${each}("${each[0]}")`);
    const variables = { AWS_LAMBDA_LOG_LEVEL: level };
    const texts = await lines(await start(handler(...body), variables));
    expect(texts.map((line) => line.split('\t')[3])).toEqual(expected);
    const objects = await lines(await start(handler(...body), { ...variables, ...json }));
    expect(objects.map((line) => JSON.parse(line).message)).toEqual(expected);
  });

  it('has complete tracebacks', async () => {
    const body = ['try: 1 / 0', 'except Exception: logging.exception("caught")', 'logging.warning("a\\n\\nb\\n")'];
    const [caught, warned] = await lines(await start(handler(...body)));
    expect(caught).toMatch(/\tcaught\rTraceback .*\rZeroDivisionError: division by zero$/s);
    expect(warned).toMatch(/\ta\r\rb\r$/);
  });

  it('has failures as JSON objects too', async () => {
    const [line = ''] = await lines(await start(handler('raise ValueError("no")'), json));
    expect(Object.keys(JSON.parse(line))).toEqual([
      ...['timestamp', 'log_level', 'errorMessage', 'errorType', 'requestId', 'stackTrace'],
    ]);
  });

  it('gets printed text immediately', async () => {
    const started = await start(
      handler('print("a"); print("b", end="")', 'print("c", file=sys.stderr)', 'os._exit(1)'),
    );
    await answer(started);
    await started.ended;
    expect(started.output().split('\n').sort().join('|')).toBe('|a|bc');
  });
});

describe('the environment of a handler', () => {
  it("has the complete context, with AWS's names", async () => {
    const offer = {
      clientContext: '{"custom":{"who":"Wörld"},"client":{"app_title":"t"}}',
      cognitoIdentity: '{"cognitoIdentityId":"a","cognitoIdentityPoolId":"b"}',
    };
    const started = await start({
      'index.py': `from awslambdaric.lambda_context import LambdaContext
def handler(event, context):
    return [isinstance(context, LambdaContext), repr(context.identity), repr(context.client_context), repr(context)]
`,
    });
    const { payload } = (await answer(started, {}, offer)) as { payload: string };
    expect(JSON.parse(payload)).toEqual([
      true,
      'CognitoIdentity([cognito_identity_id=a,cognito_identity_pool_id=b])',
      "ClientContext([custom={'who': 'Wörld'},env=None,client=Client([installation_id=None,app_title=t,app_version_name=None,app_version_code=None,app_package_name=None])])",
      expect.stringMatching(/^LambdaContext\(\[aws_request_id=[0-9a-f-]{36},log_group_name=\/aws\/lambda\/under-test,/),
    ]);
  });

  it('searches modules in the function, the layers, the runtime and Python, in this order', async () => {
    const started = await start(handler('return [sys.path, os.environ["PYTHONPATH"], os.environ["LAMBDA_TASK_ROOT"]]'));
    const { payload } = (await answer(started)) as { payload: string };
    const [path, pythonPath, task] = JSON.parse(payload);
    // The version of the runtime first, then that of the interpreter, which is another one on most machines.
    const versions = [...new Set(path.filter((each: string) => each.startsWith('/opt/python/lib/')))];
    expect(versions[0]).toBe('/opt/python/lib/python3.12/site-packages');
    expect(path.slice(0, versions.length + 3)).toEqual([task, ...versions, '/opt/python', dirname(RUNTIME)]);
    expect(pythonPath).toBe('/var/runtime');
  });

  it('does not search the layers if PYTHONPATH is set', async () => {
    const started = await start(handler('return sys.path'), { PYTHONPATH: '/opt/mine' });
    const path: string[] = JSON.parse(((await answer(started)) as { payload: string }).payload);
    expect(path).toContain('/opt/mine');
    expect(path).not.toContain('/opt/python');
  });

  it('reads the .pth files of the function', async () => {
    const started = await start({
      'index.py': 'import below\ndef handler(event, context):\n    return below.X\n',
      'paths.pth': 'vendored\n',
      'vendored/below.py': 'X = 1\n',
    });
    expect(await answer(started)).toMatchObject({ payload: '1' });
  });
});
