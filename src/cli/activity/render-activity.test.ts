import { describe, expect, it } from 'vitest';
import type { Fact, InvocationFact } from '../../environment/facts.ts';
import { describeInvocation, renderActivity, renderActivityJson, renderLogMessage } from './render-activity.ts';

const ID = '7a4c0c5e-6a3e-4d53-9f0e-0c1f4a7b2d10';
const scope = { region: 'us-east-1', account: '123456789012' } as Fact['scope'];
const log = (message: string): Fact => ({
  kind: 'log-event',
  scope,
  functionName: 'hello',
  logGroup: '/aws/lambda/hello',
  logStream: '2026/01/01/[$LATEST]0',
  epochMs: 0,
  message,
});
const invocation: InvocationFact = {
  kind: 'invocation',
  scope,
  functionName: 'hello',
  functionVersion: '$LATEST',
  logStream: 's',
  requestId: ID,
  epochMs: 0,
  isCold: true,
  durationMs: 1.518,
  initMs: 21.871,
  memorySizeMb: 128,
  maxMemoryUsedMb: 16,
  status: 'success',
  errorType: undefined,
};

describe('an invocation', () => {
  it('is one line with status, start, duration and memory', () => {
    expect(describeInvocation(invocation)).toBe('ok, cold, 1.52 ms (init 21.87 ms), 16 of 128 MB');
    const timedOut = { ...invocation, isCold: false, initMs: undefined, status: 'timeout' } as const;
    expect(describeInvocation(timedOut)).toBe('timeout, warm, 1.52 ms, 16 of 128 MB');
    const exited = { ...invocation, status: 'error', errorType: 'Runtime.ExitError' } as const;
    expect(describeInvocation(exited)).toMatch(/^error \(Runtime\.ExitError\), cold/);
  });

  it('shows the log between its lines, without the lines of the platform', () => {
    const facts = [
      log(`START RequestId: ${ID} Version: $LATEST\n`),
      log('working\n'),
      log(`END RequestId: ${ID}\n`),
      invocation,
    ];
    expect(renderActivity(facts, false).replace(/^\d\d:\d\d:\d\d/gm, 'T')).toBe(
      'T hello  working\nT hello  ok, cold, 1.52 ms (init 21.87 ms), 16 of 128 MB\n',
    );
    const lines = renderActivityJson(facts)
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(lines.map(({ type }) => type)).toEqual(['log-event', 'log-event', 'log-event', 'invocation']);
    expect(lines[3]).toMatchObject({
      functionName: 'hello',
      time: '1970-01-01T00:00:00.000Z',
      isCold: true,
      status: 'success',
    });
  });
});

describe('a log event', () => {
  it.each([
    [`START RequestId: ${ID} Version: 1\n`],
    [`REPORT RequestId: ${ID}\tDuration: 1.52 ms\tBilled Duration: 2 ms\t\n`],
    ['INIT_START Runtime Version: provided:al2023.v1\tRuntime Version ARN: arn\n'],
    ['INIT_REPORT Init Duration: 1.20 ms\n'],
    ['EXTENSION\tName: x\tState: Ready\tEvents: [INVOKE]\n'],
    ['{"time":"2026-01-01T00:00:00.000Z","type":"platform.report","record":{}}\n'],
  ])('of the platform is left out: %j', (line) => {
    expect(renderLogMessage(line)).toBeUndefined();
  });

  it('of the platform is shown if it tells of a failure', () => {
    const line = 'INIT_REPORT Init Duration: 1.20 ms\tPhase: init\tStatus: timeout\n';
    expect(renderLogMessage(line)).toBe(line.trim());
  });

  it.each([
    ['START your engines\n', 'START your engines'],
    ['END of the story', 'END of the story'],
    ['plain text\n', 'plain text'],
    ['{not json}\n', '{not json}'],
    ['[1,2]\n', '[1,2]'],
    ['null\n', 'null'],
    ['a\rb\r\n', 'a\nb'],
    [`2026-01-01T00:00:00.000Z\t${ID}\tINFO\thello\n`, 'hello'],
    ['2026-01-01T00:00:00.000Z\tundefined\tWARN\tcareful\n', 'WARN careful'],
    [`[ERROR]\t2026-01-01T00:00:00.000Z\t${ID}\twrong\n`, 'ERROR wrong'],
    [`{"timestamp":"t","level":"INFO","requestId":"${ID}","message":"hi"}\n`, 'hi'],
    ['{"level":"warn","message":"low","free":3,"disk":"a"}\n', 'WARN low  free=3 disk=a'],
    ['{"message":{"a":1}}\n', '{"a":1}'],
    // A function must not move the cursor or set the title of the terminal. Colors are harmless.
    ['\x1b]0;title\x07\x1b[2J\x1b[31mred\x1b[0m\n', '\ufffd]0;title\ufffd\ufffd[2J\x1b[31mred\x1b[0m'],
  ])('is shown as a person reads it: %j', (line, shown) => {
    expect(renderLogMessage(line)).toBe(shown);
  });

  it('with an error shows type, message and trace once', () => {
    const error = {
      errorType: 'TypeError',
      errorMessage: 'no name',
      stackTrace: ['#0 /var/task/a.php(3): f()', '#1 {main}'],
    };
    const shown = 'TypeError: no name\n    #0 /var/task/a.php(3): f()\n    #1 {main}';
    expect(renderLogMessage(`${JSON.stringify(error)}\n`)).toBe(`ERROR ${shown}`);
    expect(renderLogMessage(`2026-01-01T00:00:00.000Z\t${ID}\tERROR\tInvoke Error \t${JSON.stringify(error)}\n`)).toBe(
      `ERROR Invoke Error ${shown}`,
    );
    const inMessage = JSON.stringify({ timestamp: 't', level: 'ERROR', message: error });
    expect(renderLogMessage(inMessage)).toBe(`ERROR ${shown}`);
  });

  it('of 256 KB is shortened', () => {
    const shown = renderLogMessage('x'.repeat(262_144)) ?? '';
    expect(shown.length).toBeLessThan(17_000);
    expect(shown).toMatch(/x\.\.\. \(245760 more\)$/);
  });
});
