/** Telemetry as an extension in a layer receives it, through the whole service: real sandbox, processes and SDK. */
import {
  CloudWatchLogsClient,
  DescribeLogStreamsCommand,
  FilterLogEventsCommand,
} from '@aws-sdk/client-cloudwatch-logs';
import { UpdateFunctionConfigurationCommand } from '@aws-sdk/client-lambda';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { shellRuntime } from '../support/function-zip.ts';
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

/** An extension that subscribes and writes the events to /tmp/events, one per line. */
function recorder(path: string, subscription: object): string {
  return `#!/usr/bin/env node
const { createServer } = require('node:http');
const { appendFileSync } = require('node:fs');
const api = 'http://' + process.env.AWS_LAMBDA_RUNTIME_API;
const seen = [];
const server = createServer((request, response) => {
  let text = '';
  request.on('data', (chunk) => { text += chunk; });
  request.on('end', () => {
    const events = JSON.parse(text);
    appendFileSync('/tmp/events', events.map((event) => JSON.stringify(event) + '\\n').join(''));
    seen.push(...events.map(({ type }) => type));
    response.end();
  });
});
server.listen(4243, 'sandbox.localdomain', async () => {
  console.log('extension speaks');
  const registered = await fetch(api + '/2020-01-01/extension/register', {
    method: 'POST',
    headers: { 'Lambda-Extension-Name': 'recorder' },
    body: JSON.stringify({ events: ['INVOKE', 'SHUTDOWN'] }),
  });
  const headers = { 'Lambda-Extension-Identifier': registered.headers.get('lambda-extension-identifier') };
  const subscribed = await fetch(api + '${path}', {
    method: 'PUT',
    headers,
    body: JSON.stringify(${JSON.stringify(subscription)}),
  });
  if (subscribed.status !== 200) throw new Error(await subscribed.text());
  for (;;) {
    const event = await (await fetch(api + '/2020-01-01/extension/event/next', { headers })).json();
    if (event.eventType !== 'SHUTDOWN') continue;
    console.log('at shutdown: ' + seen.join(' '));
    process.exit(0);
  }
});
`;
}

const destination = { protocol: 'HTTP', URI: 'http://sandbox.localdomain:4243/' };
const everything = {
  schemaVersion: '2022-12-13',
  types: ['platform', 'function', 'extension'],
  buffering: { timeoutMs: 25 },
  destination,
};

/** Waits inside the function until the file with events contains a text, then responds with the file. */
const ANSWERS_WITH_EVENTS = `
  WANTED=$(printf '%s' "$EVENT" | sed 's/.*"wanted":"\\([^"]*\\)".*/\\1/')
  echo "function speaks"
  while ! grep -qs "$WANTED" /tmp/events; do sleep 0.02; done
  respond "$(cat /tmp/events)"`;

type Seen = { readonly time: string; readonly type: string; readonly record: Record<string, unknown> };

function eventsOf(payload: string): Seen[] {
  return payload
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Seen);
}

describe('telemetry of a function with an extension', () => {
  it('reports initialization, each invocation and every line, in order', async () => {
    const layer = await service.publishLayer('recorder', {
      'extensions/recorder': recorder('/2022-07-01/telemetry', everything),
    });
    await service.createFunction(
      'watched',
      { bootstrap: shellRuntime(ANSWERS_WITH_EVENTS, 'echo "init speaks"') },
      { Layers: [layer], Timeout: 10 },
    );
    const cold = await service.invoke('watched', { wanted: 'function speaks' });
    const told = eventsOf(cold.payload);
    // The runtime starts while the extension subscribes: its output may come before or after the subscription.
    const initOutput = told.findIndex(({ record }) => String(record) === 'init speaks\n');
    expect(initOutput).toBeGreaterThan(0);
    expect(told.filter((_, at) => at !== initOutput).map(({ type }) => type)).toEqual([
      'platform.initStart',
      'extension',
      'platform.telemetrySubscription',
      'platform.initRuntimeDone',
      'platform.extension',
      'platform.initReport',
      'platform.start',
      'function',
    ]);
    expect(cold.log).toContain(
      'TELEMETRY\tName: recorder\tState: Subscribed\tTypes: [Platform, Function, Extension]\n',
    );
    expect(cold.log).toContain('EXTENSION\tName: recorder\tState: Ready\tEvents: [INVOKE, SHUTDOWN]\n');
    expect(cold.log).toContain('extension speaks\n');

    // The events after the response were delayed while the environment was frozen.
    const warm = await service.invoke('watched', { wanted: 'platform.report' });
    const seen = eventsOf(warm.payload).slice(told.length);
    expect(seen.slice(0, 2).map(({ type }) => type)).toEqual(['platform.runtimeDone', 'platform.report']);
    const [runtimeDone, report] = seen;
    expect(runtimeDone?.record).toMatchObject({
      requestId: cold.response.$metadata.requestId,
      status: 'success',
      metrics: { producedBytes: Buffer.byteLength(cold.payload) },
      spans: [{ name: 'responseLatency' }, { name: 'responseDuration' }, { name: 'runtimeOverhead' }],
    });
    const line = /Duration: ([\d.]+) ms\tBilled Duration: (\d+) ms/.exec(cold.log);
    expect(report?.record).toMatchObject({
      metrics: { durationMs: expect.closeTo(Number(line?.[1]), 1), billedDurationMs: Number(line?.[2]) },
      spans: [{ name: 'extensionOverhead' }],
    });
  });

  it('continues after a crash, with the same subscriber, which receives the crash', async () => {
    const layer = await service.publishLayer('recorder', {
      'extensions/recorder': recorder('/2022-07-01/telemetry', everything),
    });
    const handle = `case "$EVENT" in *crash*) exit 9;; esac${ANSWERS_WITH_EVENTS}`;
    await service.createFunction('crashing', { bootstrap: shellRuntime(handle) }, { Layers: [layer], Timeout: 10 });
    const crashed = await service.invoke('crashing', { crash: true });
    expect(crashed.functionError).toBe('Unhandled');
    const after = await service.invoke('crashing', { wanted: 'Already subscribed' });
    const seen = eventsOf(after.payload);
    const ofCrash = seen.filter(({ record }) => record.requestId === crashed.response.$metadata.requestId);
    expect(ofCrash.map(({ type, record }) => [type, record.status, record.errorType])).toEqual([
      ['platform.start', undefined, undefined],
      ['platform.runtimeDone', 'error', 'Runtime.ExitError'],
      ['platform.report', 'error', 'Runtime.ExitError'],
    ]);
    expect(seen.filter(({ type }) => type === 'platform.initStart').map(({ record }) => record.phase)).toEqual([
      'init',
      'invoke',
    ]);
    expect(
      seen.filter(({ type }) => type === 'platform.telemetrySubscription').map(({ record }) => record.state),
    ).toEqual(['Subscribed', 'Already subscribed']);
  });

  it('has been delivered completely when the extension gets SHUTDOWN', async () => {
    const layer = await service.publishLayer('recorder', {
      'extensions/recorder': recorder('/2022-07-01/telemetry', {
        ...everything,
        types: ['platform'],
        buffering: { timeoutMs: 30_000 },
      }),
    });
    await service.createFunction('shut-down', { bootstrap: shellRuntime('respond ok') }, { Layers: [layer] });
    await service.invoke('shut-down');
    await service.client.send(
      new UpdateFunctionConfigurationCommand({ FunctionName: 'shut-down', Description: 'ends its environments' }),
    );
    const logged = async () => {
      const found = await logs.send(
        new FilterLogEventsCommand({ logGroupName: '/aws/lambda/shut-down', filterPattern: '"at shutdown"' }),
      );
      return found.events?.map(({ message }) => message) ?? [];
    };
    await expect
      .poll(logged, { timeout: 10_000 })
      .toEqual([
        'at shutdown: platform.initStart platform.telemetrySubscription platform.initRuntimeDone platform.extension platform.initReport platform.start platform.runtimeDone platform.report\n',
      ]);
  });

  it("reaches an extension that uses the Logs API, in that API's schema", async () => {
    const layer = await service.publishLayer('recorder', {
      'extensions/recorder': recorder('/2020-08-15/logs', { types: ['platform', 'function'], destination }),
    });
    await service.createFunction(
      'watched-by-logs-api',
      { bootstrap: shellRuntime(ANSWERS_WITH_EVENTS) },
      { Layers: [layer], Timeout: 10 },
    );
    const cold = await service.invoke('watched-by-logs-api', { wanted: 'platform.start' });
    expect(cold.log).toContain('LOGS\tName: recorder\tState: Subscribed\tTypes: [platform, function]\n');
    const warm = await service.invoke('watched-by-logs-api', { wanted: 'platform.report' });
    const types = eventsOf(warm.payload).map(({ type }) => type);
    expect(types.slice(0, 6)).toEqual([
      'platform.logsSubscription',
      'platform.extension',
      'platform.start',
      'function',
      'platform.end',
      'platform.report',
    ]);
  });
});

describe('the JSON log format', () => {
  it('writes system lines as JSON, filters by both levels, and uses the configured log group', async () => {
    await service.createFunction(
      'json-logs',
      {
        bootstrap: shellRuntime(`
  echo "{\\"level\\":\\"DEBUG\\",\\"timestamp\\":\\"2026-11-22T10:00:00Z\\",\\"message\\":\\"quiet\\"}"
  echo "{\\"level\\":\\"ERROR\\",\\"timestamp\\":\\"2026-11-22T10:00:00Z\\",\\"message\\":\\"loud\\"}"
  respond "{\\"format\\":\\"$AWS_LAMBDA_LOG_FORMAT\\",\\"level\\":\\"$AWS_LAMBDA_LOG_LEVEL\\"}"`),
      },
      {
        LoggingConfig: {
          LogFormat: 'JSON',
          ApplicationLogLevel: 'WARN',
          SystemLogLevel: 'INFO',
          LogGroup: '/team/one',
        },
      },
    );
    const invoked = await service.invoke('json-logs');
    expect(JSON.parse(invoked.payload)).toEqual({ format: 'JSON', level: 'WARN' });
    const told = invoked.log
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line) as { type?: string; message?: string });
    expect(told.map(({ type, message }) => type ?? message)).toEqual([
      'platform.initStart',
      'platform.start',
      'loud',
      'platform.report',
    ]);
    await expect
      .poll(async () => {
        const { events } = await logs.send(new FilterLogEventsCommand({ logGroupName: '/team/one' }));
        return events?.length ?? 0;
      })
      .toBe(4);
    const { logStreams } = await logs.send(new DescribeLogStreamsCommand({ logGroupName: '/team/one' }));
    expect(logStreams?.[0]?.logStreamName).toMatch(/^\d{4}\/\d\d\/\d\d\/json-logs\[\$LATEST\][0-9a-f]{32}$/);
  });

  it('omits DEBUG events at INFO and shows failures at WARN', async () => {
    await service.createFunction(
      'json-warn',
      { bootstrap: shellRuntime('exit 3') },
      { LoggingConfig: { LogFormat: 'JSON', SystemLogLevel: 'WARN' } },
    );
    const { log } = await service.invoke('json-warn');
    const types = log.split('\n').map((line) => (line === '' ? '' : (JSON.parse(line) as Seen).type));
    expect(types).toEqual(['platform.runtimeDone', 'platform.report', '']);
    expect(log).toContain('"status":"error","errorType":"Runtime.ExitError"');
  });
});
