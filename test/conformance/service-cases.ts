/**
 * Rules for a Lambda service, independent of the runtime: responses, failures, log lines, extensions, telemetry. A case gets
 * its own function and throws if the service breaks the rule.
 */
import { expect } from 'vitest';
import type { ZipFiles } from '../support/function-zip.ts';
import type { Need } from './service-runtimes.ts';
import type { Answer } from './service-target.ts';

export type FunctionUnderTest = {
  invoke(event: unknown): Promise<Answer>;
  log(): Promise<string>;
};

export type ServiceCase = {
  readonly rule: string;
  readonly needs?: Need;
  /** In seconds; defaults to 10. */
  readonly timeout?: number;
  /** Defaults to the handler of the runtime. */
  readonly handler?: string;
  /** Files of a layer, relative to /opt. */
  readonly layer?: ZipFiles;
  readonly run: (tested: FunctionUnderTest) => Promise<void>;
};

const REPORT_OF_SUCCESS =
  /^REPORT RequestId: [0-9a-f-]{36}\tDuration: [\d.]+ ms\tBilled Duration: \d+ ms\tMemory Size: 256 MB\tMax Memory Used: \d+ MB\t(Init Duration: [\d.]+ ms\t)?\n$/;

export const SERVICE_CASES: readonly ServiceCase[] = [
  {
    rule: 'passes the event to the function and returns its result',
    run: async ({ invoke }) => {
      for (const event of [{ name: 'Wörld 🌍' }, [1, 'two', null], 'text', 7]) {
        const { functionError, payload } = await invoke(event);
        expect([functionError, JSON.parse(payload)]).toEqual([undefined, event]);
      }
    },
  },
  {
    rule: 'reports the initialization only in the first REPORT line',
    run: async ({ invoke }) => {
      const reports = [await invoke(1), await invoke(2)].map(({ log }) => linesOf(log).at(-1));
      for (const report of reports) expect(report).toMatch(REPORT_OF_SUCCESS);
      expect(reports[0]).toContain('\tInit Duration: ');
      expect(reports[1]).not.toContain('Init Duration');
    },
  },
  {
    rule: 'reuses the process',
    needs: 'state',
    run: async ({ invoke }) => {
      for (const count of [1, 2, 3]) expect((await invoke({ do: 'count' })).payload).toBe(`${count}`);
    },
  },
  {
    rule: 'logs the lines of the function between START and END',
    run: async ({ invoke }) => {
      await invoke(1);
      const { log, requestId } = await invoke({ do: 'log' });
      const lines = linesOf(log);
      expect(lines[0]).toBe(`START RequestId: ${requestId} Version: $LATEST\n`);
      expect(lines.at(-2)).toBe(`END RequestId: ${requestId}\n`);
      const between = lines.slice(1, -2).join('');
      expect(between).toContain('to standard output\n');
      expect(between).toContain('to standard error\n');
    },
  },
  {
    rule: 'returns an error of the handler, without a Status in REPORT, and continues',
    run: async ({ invoke }) => {
      await invoke(1);
      const { functionError, payload, log } = await invoke({ do: 'fail', message: 'broken' });
      expect(functionError).toBe('Unhandled');
      expect(JSON.parse(payload)).toMatchObject({ errorMessage: 'broken', errorType: expect.any(String) });
      expect(linesOf(log).at(-1)).toMatch(REPORT_OF_SUCCESS);
      expect((await invoke(2)).payload).toBe('2');
    },
  },
  {
    rule: 'reports how the process ended, and restarts it in the next invocation',
    run: async ({ invoke }) => {
      await invoke(1);
      const { functionError, payload, log } = await invoke({ do: 'die' });
      expect(functionError).toBe('Unhandled');
      expect(JSON.parse(payload)).toEqual({
        errorType: 'Runtime.ExitError',
        errorMessage: expect.stringMatching(
          /^RequestId: [0-9a-f-]{36} Error: Runtime exited with error: signal: killed$/,
        ),
      });
      expect(linesOf(log).at(-1)).toMatch(/\tStatus: error\tError Type: Runtime\.ExitError\n$/);
      const next = await invoke(2);
      expect([next.payload, next.log.includes('Init Duration')]).toEqual(['2', false]);
    },
  },
  {
    rule: 'ends an invocation exactly at the timeout',
    timeout: 1,
    run: async ({ invoke }) => {
      const { payload, log, requestId } = await invoke({ do: 'sleep', seconds: 30 });
      expect(payload).toBe(
        `{"errorType":"Sandbox.Timedout","errorMessage":"RequestId: ${requestId} Error: Task timed out after 1.00 seconds"}`,
      );
      expect(linesOf(log).at(-1)).toMatch(/\tDuration: 1000\.00 ms\t.*\tStatus: timeout\n$/);
    },
  },
  {
    rule: 'keeps /tmp when it replaces the processes',
    timeout: 2,
    run: async ({ invoke }) => {
      await invoke({ do: 'write', text: 'kept' });
      await invoke({ do: 'sleep', seconds: 30 });
      expect((await invoke({ do: 'read' })).payload.trim()).toBe('"kept"');
    },
  },
  {
    rule: 'refuses a response above the size limit, and continues',
    run: async ({ invoke }) => {
      const { payload } = await invoke({ do: 'size', size: 6_291_557 });
      expect(JSON.parse(payload)).toMatchObject({
        errorType: 'Function.ResponseSizeTooLarge',
        errorMessage: 'Response payload size exceeded maximum allowed payload size (6291556 bytes).',
      });
      expect(JSON.parse((await invoke({ ok: 1 })).payload)).toEqual({ ok: 1 });
    },
  },
  {
    rule: 'retries a failed initialization once, then reports the error',
    handler: 'missing.handler',
    run: async ({ invoke }) => {
      const { functionError, payload, log } = await invoke(1);
      expect(functionError).toBe('Unhandled');
      expect(JSON.parse(payload)).toMatchObject({ errorType: expect.any(String), errorMessage: expect.any(String) });
      const phases = [...log.matchAll(/^INIT_REPORT Init Duration: [\d.]+ ms\tPhase: (\w+)\tStatus: error\t/gm)];
      expect(phases.map(([, phase]) => phase)).toEqual(['init', 'invoke']);
      expect(linesOf(log).at(-1)).toMatch(/\tStatus: error\tError Type: \S+\n$/);
    },
  },
  {
    rule: 'sets the documented environment variables',
    run: async ({ invoke }) => {
      const variable = async (name: string) => JSON.parse((await invoke({ do: 'variable', name })).payload);
      expect(await variable('AWS_LAMBDA_FUNCTION_MEMORY_SIZE')).toBe('256');
      expect(await variable('AWS_LAMBDA_FUNCTION_VERSION')).toBe('$LATEST');
      expect(await variable('AWS_LAMBDA_INITIALIZATION_TYPE')).toBe('on-demand');
      expect(await variable('LAMBDA_TASK_ROOT')).toBe('/var/task');
      expect(await variable('TZ')).toBe(':UTC');
      expect(await variable('_X_AMZN_TRACE_ID')).toMatch(/^Root=1-[0-9a-f]{8}-[0-9a-f]{24};/);
      expect(await variable('GIVEN')).toBe('by the customer');
    },
  },
  {
    rule: 'sends every invocation to an extension, and waits for it',
    layer: { 'extensions/follows': shellExtension('echo "event $EVENT"; sleep 0.3') },
    run: async ({ invoke }) => {
      const cold = await invoke(1);
      expect(cold.log).toContain('EXTENSION\tName: follows\tState: Ready\tEvents: [INVOKE, SHUTDOWN]\n');
      const { log, requestId } = await invoke(2);
      expect(log).toContain(`"requestId":"${requestId}"`);
      expect(log).toContain('event {"eventType":"INVOKE","deadlineMs":');
      expect(Number(/\tDuration: ([\d.]+) ms/.exec(log)?.[1])).toBeGreaterThan(300);
    },
  },
  {
    rule: 'sends the reason of the shutdown to an extension',
    timeout: 2,
    layer: {
      'extensions/notes': shellExtension(
        'case $EVENT in *SHUTDOWN*) printf \'"%s"\' "$(echo "$EVENT" | sed \'s/.*shutdownReason":"\\([a-z]*\\)".*/\\1/\')" >/tmp/kept; exit 0;; esac',
      ),
    },
    run: async ({ invoke }) => {
      await invoke(1);
      await invoke({ do: 'sleep', seconds: 30 });
      expect((await invoke({ do: 'read' })).payload.trim()).toBe('"timeout"');
    },
  },
  {
    rule: 'fails if an extension crashes',
    layer: { 'extensions/brittle': shellExtension('exit 5') },
    run: async ({ invoke }) => {
      const { payload, functionError } = await invoke({ do: 'sleep', seconds: 5 });
      expect(functionError).toBe('Unhandled');
      expect(JSON.parse(payload)).toEqual({
        errorType: 'Extension.Crash',
        errorMessage: expect.stringMatching(/ Error: exit status 5$/),
      });
    },
  },
  {
    rule: 'delivers telemetry to an extension, in order',
    needs: 'python',
    layer: { 'extensions/listens': telemetryExtension() },
    run: async ({ invoke, log }) => {
      const { requestId } = await invoke({ do: 'log' });
      await invoke({ do: 'sleep', seconds: 1 });
      await expect
        .poll(async () => {
          await invoke({ do: 'sleep', seconds: 0.2 });
          return /^told (.*platform\.report.*)$/m.exec(await log())?.[1] ?? '';
        }, POLLING)
        .toMatch(/platform\.initStart .*platform\.start .*platform\.runtimeDone .*platform\.report/);
      expect(await log()).toContain(`about ${requestId}`);
    },
  },
];

const POLLING = { timeout: 30_000, interval: 500 };

function linesOf(log: string): string[] {
  return log.match(/.*\n/g) ?? [];
}

/** An extension in shell. `handle` finds each event in $EVENT. */
function shellExtension(handle: string): string {
  return `#!/bin/sh
api="http://$AWS_LAMBDA_RUNTIME_API/2020-01-01/extension"
id=$(curl -sS -D - -o /dev/null -H "Lambda-Extension-Name: $(basename "$0")" -d '{"events":["INVOKE","SHUTDOWN"]}' "$api/register" |
  tr -d '\\r' | sed -n 's/^lambda-extension-identifier: *//Ip')
while :; do
  EVENT=$(curl -sS -H "Lambda-Extension-Identifier: $id" "$api/event/next")
  ${handle}
done
`;
}

/** Subscribes to all telemetry. For each of its own events it prints the types received so far. */
function telemetryExtension(): string {
  return `#!/usr/bin/env python3
import http.server, json, os, threading, urllib.request
api = 'http://' + os.environ['AWS_LAMBDA_RUNTIME_API']
seen = []
class Listener(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        seen.extend(json.loads(self.rfile.read(int(self.headers['Content-Length']))))
        self.send_response(200)
        self.end_headers()
    def log_message(self, *_): pass
def call(path, body=None, method=None, **headers):
    request = urllib.request.Request(api + path, body, {k.replace('_', '-'): v for k, v in headers.items()}, method=method)
    return urllib.request.urlopen(request)
server = http.server.HTTPServer(('sandbox.localdomain', 4243), Listener)
threading.Thread(target=server.serve_forever, daemon=True).start()
registered = call('/2020-01-01/extension/register', b'{"events":["INVOKE","SHUTDOWN"]}', Lambda_Extension_Name='listens')
me = {'Lambda_Extension_Identifier': registered.headers['Lambda-Extension-Identifier']}
call('/2022-07-01/telemetry', json.dumps({
    'schemaVersion': '2022-12-13', 'types': ['platform', 'function'], 'buffering': {'timeoutMs': 25},
    'destination': {'protocol': 'HTTP', 'URI': 'http://sandbox.localdomain:4243/'},
}).encode(), 'PUT', **me)
while True:
    event = json.load(call('/2020-01-01/extension/event/next', **me))
    print('told ' + ' '.join(item['type'] for item in seen), flush=True)
    for item in seen:
        if item['type'] == 'platform.report': print('about ' + item['record']['requestId'], flush=True)
    if event['eventType'] == 'SHUTDOWN': break
`;
}
