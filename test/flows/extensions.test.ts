/** External and internal extensions through the whole service: start, failure, shutdown and duration. */
import { CloudWatchLogsClient, FilterLogEventsCommand } from '@aws-sdk/client-cloudwatch-logs';
import { UpdateFunctionConfigurationCommand } from '@aws-sdk/client-lambda';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { shellRuntime, type ZipFiles } from '../support/function-zip.ts';
import { type RunningService, startService } from '../support/running-service.ts';

let service: RunningService;
let logs: CloudWatchLogsClient;

beforeAll(async () => {
  service = await startService();
  logs = new CloudWatchLogsClient({
    endpoint: service.url,
    region: 'us-east-1',
    credentials: { accessKeyId: 'test', secretAccessKey: 'test' },
  });
});
afterAll(async () => {
  logs.destroy();
  await service.close();
});

type Parts = {
  /** The events to which it subscribes. */
  readonly events?: readonly ('INVOKE' | 'SHUTDOWN')[];
  /** Python code that runs before it registers, before its first poll, and on each event (`event`, a dictionary). */
  readonly first?: string;
  readonly registered?: string;
  readonly onInvoke?: string;
  readonly onShutdown?: string;
};

/** A typical extension. `say(text)` prints, `error(call, type)` reports an error, `note(text)` writes to /tmp/notes. */
function extension({
  events = ['INVOKE', 'SHUTDOWN'],
  first = '',
  registered = '',
  onInvoke = 'pass',
  onShutdown = 'sys.exit(0)',
}: Parts): string {
  const indented = (code: string) => code.replaceAll('\n', '\n        ');
  return `#!/usr/bin/python3
import json, os, signal, sys, time, urllib.request
api = 'http://' + os.environ['AWS_LAMBDA_RUNTIME_API'] + '/2020-01-01/extension/'
name = os.path.basename(__file__)
headers = {'Lambda-Extension-Name': name}
def call(path, body=None, more={}):
    return urllib.request.urlopen(urllib.request.Request(api + path, body, {**headers, **more}))
def say(text): print(text, flush=True)
def note(text):
    with open('/tmp/notes', 'a') as file: file.write(text + '\\n')
def error(path, kind):
    call(path, b'{}', {'Lambda-Extension-Function-Error-Type': kind}).close()
${first}
with call('register', json.dumps({'events': ${JSON.stringify(events)}}).encode()) as answer:
    headers['Lambda-Extension-Identifier'] = answer.headers['Lambda-Extension-Identifier']
${registered}
while True:
    with call('event/next') as answer: event = json.load(answer)
    if event['eventType'] == 'INVOKE':
        ${indented(onInvoke)}
    else:
        ${indented(onShutdown)}
`;
}

/** Creates a function with these files in /opt/extensions. */
async function withExtensions(name: string, extensions: ZipFiles, bootstrap: string, more = {}): Promise<void> {
  const files = Object.entries(extensions).map(([file, content]) => [`extensions/${file}`, content]);
  const layer = await service.publishLayer(name, Object.fromEntries(files));
  await service.createFunction(name, { bootstrap }, { Layers: [layer], Timeout: 5, ...more });
}

async function logOf(name: string): Promise<string> {
  const { events = [] } = await logs.send(new FilterLogEventsCommand({ logGroupName: `/aws/lambda/${name}` }));
  return events.map(({ message }) => message).join('');
}

const ECHOES = shellRuntime('respond "$EVENT"');
const ANSWERS_WITH_NOTES = shellRuntime('respond "$(cat /tmp/notes)"', 'echo "runtime begins" >> /tmp/notes');

describe('an extension that cannot be started', () => {
  it.each([
    ['is not executable', { content: extension({}), mode: 0o644 }, 'permission denied', 'PermissionDenied'],
    ['is not a program', 'just text', 'exec format error', 'UnknownError'],
    ['has an interpreter that does not exist', '#!/opt/nothing\n', 'no such file or directory', 'UnknownError'],
  ])('because it %s fails the function with a launch error', async (what, file, reason, type) => {
    const name = `cannot-start-${type}-${what.length}`;
    await withExtensions(name, { 'a-good-one': extension({}), 'b-bad-one': file, 'c-never-tried': file }, ECHOES);
    const { payload, functionError, log } = await service.invoke(name);
    expect(functionError).toBe('Unhandled');
    expect(JSON.parse(payload)).toEqual({
      errorType: 'Extension.LaunchError',
      errorMessage: expect.stringMatching(
        new RegExp(`^RequestId: [0-9a-f-]{36} Error: fork/exec /opt/extensions/b-bad-one: ${reason}$`),
      ),
    });
    expect(log).toContain(`EXTENSION\tName: b-bad-one\tState: LaunchError\tEvents: []\tError Type: ${type}\n`);
    expect(log).not.toContain('c-never-tried');
    expect(log).toMatch(/INIT_REPORT .*\tPhase: init\tStatus: error\tError Type: Extension\.LaunchError\n/);
    expect(log).toMatch(/\tStatus: error\tError Type: Extension\.LaunchError\n$/);
  });

  it('because there are ten others fails the function', async () => {
    const names = Array.from({ length: 11 }, (_, index) => `extension-${String(index).padStart(2, '0')}`);
    const files = Object.fromEntries(names.map((name) => [name, extension({ events: [] })]));
    await withExtensions('has-eleven', files, ECHOES);
    const { payload, log } = await service.invoke('has-eleven');
    expect(JSON.parse(payload)).toEqual({
      errorType: 'Extension.LaunchError',
      errorMessage: expect.stringMatching(/ Error: ErrTooManyExtensions$/),
    });
    expect(log).toContain(
      'EXTENSION\tName: extension-10\tState: LaunchError\tEvents: []\tError Type: TooManyExtensions\n',
    );
    const ten = Object.fromEntries(Object.entries(files).slice(0, 10));
    await withExtensions('has-ten', ten, ECHOES);
    expect((await service.invoke('has-ten', { ok: 1 })).payload).toBe('{"ok":1}');
  }, 30_000);
});

describe('the order of an initialization', () => {
  it('is: all external extensions register, the runtime starts, and all ask for the first event', async () => {
    const slow = extension({
      first: 'time.sleep(0.4); note("slow registers")',
      registered: 'time.sleep(0.6); note("slow is ready")',
      onInvoke: 'note("slow is invoked")',
    });
    const quick = extension({ first: 'note("quick registers")' });
    await withExtensions('begins-in-order', { quick, slow }, ANSWERS_WITH_NOTES);
    const { payload, log } = await service.invoke('begins-in-order');
    expect(payload.split('\n').slice(0, 4)).toEqual([
      'quick registers',
      'slow registers',
      'runtime begins',
      'slow is ready',
    ]);
    expect(Number(/Init Duration: ([\d.]+) ms/.exec(log)?.[1])).toBeGreaterThan(1000);
    expect(log).toMatch(/EXTENSION\tName: quick\tState: Ready\tEvents: \[INVOKE, SHUTDOWN\]\n/);
  });

  it('includes an extension without events, for which invocations do not wait', async () => {
    await withExtensions('has-a-deaf-one', { deaf: extension({ events: [] }) }, ECHOES);
    const cold = await service.invoke('has-a-deaf-one', { n: 1 });
    expect(cold.log).toContain('EXTENSION\tName: deaf\tState: Ready\tEvents: []\n');
    const warm = await service.invoke('has-a-deaf-one', { n: 2 });
    expect([cold.payload, warm.payload]).toEqual(['{"n":1}', '{"n":2}']);
    expect(warm.log).not.toContain('EXTENSION');
  });
});

describe('an extension that ends', () => {
  it.each([
    ['with code 0', 'sys.exit(0)', 'exit code 0'],
    ['with a code', 'sys.exit(7)', 'exit status 7'],
    ['by a signal', 'os.kill(os.getpid(), signal.SIGSEGV)', 'signal: segmentation fault'],
  ])('%s during an invocation fails it as a crash', async (what, code, error) => {
    const name = `crashes-${what.replaceAll(' ', '-')}`;
    await withExtensions(name, { brittle: extension({ onInvoke: code }) }, shellRuntime('sleep 60'));
    const { payload, log } = await service.invoke(name);
    expect(JSON.parse(payload)).toEqual({
      errorType: 'Extension.Crash',
      errorMessage: expect.stringMatching(new RegExp(`^RequestId: \\S+ Error: ${error}$`)),
    });
    expect(log).toMatch(/\tStatus: error\tError Type: Extension\.Crash\n$/);
  });

  it('after the response does not change it, and the processes are replaced', async () => {
    const brittle = extension({ onInvoke: 'time.sleep(0.3)\nsys.exit(1)' });
    await withExtensions('crashes-late', { brittle }, shellRuntime('respond $$'));
    const first = await service.invoke('crashes-late');
    expect(first.functionError).toBeUndefined();
    expect(first.log).toMatch(/\tStatus: error\tError Type: Extension\.Crash\n$/);
    const second = await service.invoke('crashes-late');
    expect(second.functionError).toBeUndefined();
    expect(second.log).not.toContain('Init Duration');
  });

  it('before it has registered fails the initialization, twice', async () => {
    await withExtensions('never-registers', { brittle: extension({ first: 'sys.exit(3)' }) }, ECHOES);
    const { payload, log } = await service.invoke('never-registers');
    expect(JSON.parse(payload)).toEqual({
      errorType: 'Extension.Crash',
      errorMessage: expect.stringMatching(/ Error: exit status 3$/),
    });
    expect(log.match(/INIT_REPORT .*\tError Type: Extension\.Crash\n/g)).toHaveLength(2);
    expect(log).toContain('EXTENSION\tName: brittle\tState: Started\tEvents: []\n');
  });

  it.each([
    ['init/error', 'Extension.InitError', { registered: 'error("init/error", "Brittle.Config")\nsys.exit(4)' }],
    ['exit/error', 'Extension.ExitError', { onInvoke: 'error("exit/error", "Brittle.Gone")\nsys.exit(4)' }],
  ] as const)(
    'after a call of %s fails the invocation with that error, and how it ended',
    async (call, errorType, parts) => {
      const name = `reports-${call.replace('/', '-')}`;
      await withExtensions(name, { brittle: extension(parts) }, shellRuntime('sleep 60'));
      const { payload, log } = await service.invoke(name);
      expect(JSON.parse(payload)).toEqual({
        errorType,
        errorMessage: expect.stringMatching(/^RequestId: \S+ Error: exit status 4$/),
      });
      expect(log).toMatch(new RegExp(`\tStatus: error\tError Type: ${errorType}\n$`));
      if (call === 'init/error') {
        expect(log).toContain('State: InitError\tEvents: [INVOKE, SHUTDOWN]\tError Type: Brittle.Config\n');
      }
    },
  );
});

describe('the time that extensions take', () => {
  it('counts towards the duration, but the caller gets the response earlier', async () => {
    await withExtensions('has-a-slow-one', { slow: extension({ onInvoke: 'time.sleep(0.8)' }) }, ECHOES);
    const { log } = await service.invoke('has-a-slow-one');
    expect(Number(/\tDuration: ([\d.]+) ms/.exec(log)?.[1])).toBeGreaterThan(800);
    const startedAt = performance.now();
    await service.invoke('has-a-slow-one', {}, { LogType: 'None' });
    const waitedMs = performance.now() - startedAt;
    const durations = async () => [...(await logOf('has-a-slow-one')).matchAll(/\tDuration: ([\d.]+) ms/g)];
    await expect.poll(durations, { timeout: 10_000 }).toHaveLength(2);
    expect(waitedMs).toBeLessThan(Number((await durations())[1]?.[1]));
  });

  it('counts towards the timeout', async () => {
    await withExtensions('has-an-endless-one', { endless: extension({ onInvoke: 'time.sleep(60)' }) }, ECHOES, {
      Timeout: 1,
    });
    const { payload, functionError, log } = await service.invoke('has-an-endless-one', { answered: true });
    expect([functionError, payload]).toEqual([undefined, '{"answered":true}']);
    expect(log).toMatch(/\tDuration: 1000\.00 ms.*\tStatus: timeout\n$/);
  });
});

describe('the end of an environment', () => {
  const notesReason = extension({ onShutdown: 'note("stops for " + event["shutdownReason"])\nsys.exit(0)' });

  it.each([
    ['failure', 'exit 1', 'Runtime.ExitError'],
    ['timeout', 'sleep 60', 'Sandbox.Timedout'],
  ])('is reported to extensions with the reason %s', async (reason, failing, errorType) => {
    const handle = `if [ -e /tmp/notes ]; then respond "$(cat /tmp/notes)"; else ${failing}; fi`;
    await withExtensions(`ends-by-${reason}`, { 'notes-reason': notesReason }, shellRuntime(handle), { Timeout: 3 });
    const { payload } = await service.invoke(`ends-by-${reason}`);
    expect(JSON.parse(payload).errorType).toBe(errorType);
    expect((await service.invoke(`ends-by-${reason}`)).payload).toBe(`stops for ${reason}`);
  });

  it('after idling has the reason spindown and a deadline in two seconds, and follows the end of the runtime', async () => {
    const says = extension({
      onShutdown:
        "say(f\"stops for {event['shutdownReason']} {event['deadlineMs'] - time.time() * 1000:.0f}\")\nsys.exit(0)",
    });
    const runtime = shellRuntime('respond ok & wait $!', `trap 'echo runtime stops; exit 0' TERM`);
    const waits = runtime.replace(
      'EVENT=$(curl -sS -D "$HEADERS" "$API/invocation/next") || exit 1',
      () => 'curl -sS -D "$HEADERS" "$API/invocation/next" -o /tmp/event & wait $!',
    );
    await withExtensions('spins-down', { says }, waits);
    expect((await service.invoke('spins-down')).payload).toBe('ok');
    await service.client.send(new UpdateFunctionConfigurationCommand({ FunctionName: 'spins-down', Timeout: 6 }));
    await expect.poll(() => logOf('spins-down'), { timeout: 5000 }).toContain('stops for spindown');
    const [, leftMs] = /runtime stops\n(?:.*\n)*?stops for spindown (\d+)\n/.exec(await logOf('spins-down')) ?? [];
    expect(Number(leftMs)).toBeGreaterThan(1000);
    expect(Number(leftMs)).toBeLessThanOrEqual(2000);
  });

  it('is forced for extensions that still run after two seconds', async () => {
    const stays = extension({ onShutdown: 'say("does not stop")\ntime.sleep(60)' });
    const stubborn = shellRuntime('trap "" TERM; while :; do sleep 0.05; done');
    await withExtensions('does-not-stop', { stays }, stubborn, { Timeout: 1 });
    const startedAt = performance.now();
    const { log } = await service.invoke('does-not-stop');
    const tookMs = performance.now() - startedAt;
    expect(log).toContain('does not stop');
    expect(tookMs).toBeGreaterThan(3000);
  });

  it('does not wait for an extension that has not subscribed to it', async () => {
    const stays = extension({ events: ['INVOKE'] });
    await withExtensions('does-not-wait', { stays }, shellRuntime('sleep 60'), { Timeout: 1 });
    const waits = extension({ onShutdown: 'time.sleep(60)' });
    await withExtensions('waits', { waits }, shellRuntime('sleep 60'), { Timeout: 1 });
    const ended: string[] = [];
    const names = ['waits', 'does-not-wait'];
    await Promise.all(names.map((name) => service.invoke(name).then(() => ended.push(name))));
    expect(ended).toEqual(['does-not-wait', 'waits']);
  });
});

describe('an internal extension', () => {
  const registers = `
EXT="http://$AWS_LAMBDA_RUNTIME_API/2020-01-01/extension"
register() { curl -sS -D /tmp/headers -H "Lambda-Extension-Name: $1" -d "{\\"events\\":[$2]}" "$EXT/register"; }
REFUSED=$(register inside-too '"SHUTDOWN"')
ACCEPTED=$(register inside '"INVOKE"')
SELF=$(sed -n 's/^[Ll]ambda-[Ee]xtension-[Ii]dentifier: *//p' /tmp/headers | tr -d '\\r\\n')
next() { curl -sS -H "Lambda-Extension-Identifier: $SELF" "$EXT/event/next"; }
(while next > /tmp/event.new; do mv /tmp/event.new /tmp/event; done) &`;

  it('registers from inside the runtime, is invoked with it, and may not subscribe to SHUTDOWN', async () => {
    const handle = 'while [ ! -s /tmp/event ]; do sleep 0.02; done; respond "$REFUSED$ACCEPTED$(cat /tmp/event)"';
    await service.createFunction('has-one-inside', { bootstrap: shellRuntime(handle, registers) }, { Timeout: 5 });
    const { payload, log, response } = await service.invoke('has-one-inside');
    const [refused, accepted, event] = payload
      .replaceAll('}\n', '}')
      .replaceAll('}{', '}\n{')
      .split('\n')
      .map((text) => JSON.parse(text));
    expect(refused).toEqual({
      errorMessage: 'SHUTDOWN: ShutdownEventNotSupportedForInternalExtension',
      errorType: 'Extension.InvalidEventType',
    });
    expect(accepted).toMatchObject({ functionName: 'has-one-inside', functionVersion: '$LATEST', handler: 'handler' });
    expect(event).toMatchObject({ eventType: 'INVOKE', requestId: response.$metadata.requestId });
    expect(log).toContain('EXTENSION\tName: inside\tState: Ready\tEvents: [INVOKE]\n');
  });

  it('gives the runtime time to exit, but less than an external one', async () => {
    const noteTicks =
      'trap "echo asked > /tmp/asked" TERM; while :; do sleep 0.02; [ -e /tmp/asked ] && echo tick >> /tmp/ticks; done';
    const bootstrap = shellRuntime(
      `if [ -e /tmp/ticks ]; then respond lived-on; continue; fi; ${noteTicks}`,
      registers,
    );
    await service.createFunction('ends-inside', { bootstrap }, { Timeout: 1 });
    const outside = extension({ onShutdown: 'time.sleep(60)' });
    await withExtensions('ends-outside', { outside }, shellRuntime('sleep 60'), { Timeout: 1 });
    const ended: string[] = [];
    const names = ['ends-outside', 'ends-inside'];
    await Promise.all(names.map((name) => service.invoke(name).then(() => ended.push(name))));
    expect(ended).toEqual(['ends-inside', 'ends-outside']);
    expect((await service.invoke('ends-inside')).payload).toBe('lived-on');
  });
});
