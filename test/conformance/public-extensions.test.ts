/**
 * Unchanged third-party extensions, in layers built as their authors describe. They are not part of this repository:
 * LAMELLA_PUBLIC_EXTENSIONS is the path of a checkout of https://github.com/aws-samples/aws-lambda-extensions in which
 * `npm install` and `pip install -t .` were run for each package.json and requirements.txt
 * (nodejs-example-telemetry-api-extension needs node-fetch 2 despite its package.json).
 */
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { CloudWatchLogsClient, FilterLogEventsCommand } from '@aws-sdk/client-cloudwatch-logs';
import { UpdateFunctionConfigurationCommand } from '@aws-sdk/client-lambda';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { shellRuntime, type ZipFiles } from '../support/function-zip.ts';
import { type RunningService, startService } from '../support/running-service.ts';

const CHECKOUT = process.env.LAMELLA_PUBLIC_EXTENSIONS ?? '';

type Sample = {
  /** Directory in the checkout, and the paths of its parts in the layer. */
  readonly directory: string;
  readonly layer: Readonly<Record<string, string>>;
  /** Registered names of its extensions. */
  readonly names: readonly string[];
  /** Its output for an invocation and for the shutdown event. */
  readonly invoked: RegExp;
  readonly ended?: RegExp;
  readonly files?: ZipFiles;
  readonly function?: ZipFiles;
  readonly variables?: Readonly<Record<string, string>>;
  readonly answers?: RegExp;
};

const ECHOES = { bootstrap: shellRuntime('echo "function speaks"; respond "$EVENT"') };
/** Some samples expect a runtime that has Python under this name. */
const PYTHON: ZipFiles = { 'bin/python': '#!/bin/sh\nexec python3 "$@"\n' };
const own = (name: string) => ({ extensions: 'extensions', [name]: name });

const SAMPLES: readonly Sample[] = [
  {
    directory: 'python-example-extension',
    layer: own('python-example-extension'),
    names: ['python-example-extension'],
    invoked: /Received event: \{"eventType": "INVOKE"/,
    ended: /Received SHUTDOWN event\. Exiting\./,
  },
  {
    directory: 'nodejs-example-extension',
    layer: own('nodejs-example-extension'),
    names: ['nodejs-example-extension'],
    invoked: /^invoke$/m,
    ended: /shutdown \{/,
  },
  {
    directory: 'python-example-telemetry-api-extension',
    layer: own('python_example_telemetry_api_extension'),
    names: ['python_example_telemetry_api_extension'],
    variables: { DISPATCH_MIN_BATCH_SIZE: '1' },
    invoked: /Extension successfully subscribed to telemetry api/,
    ended: /Handle Shutdown Event\n(?:.*\n)*?\[telementry_dispatcher\] Dispatch telemetry data/,
  },
  {
    directory: 'nodejs-example-telemetry-api-extension',
    layer: own('nodejs-example-telemetry-api-extension'),
    names: ['nodejs-example-telemetry-api-extension'],
    invoked: /Subscription success: OK|Subscription success: "OK"/,
    ended: /index:handleShutdown/,
  },
  {
    directory: 'python-example-logs-api-extension',
    layer: { extensions: 'extensions' },
    names: ['logs_api_http_extension.py'],
    files: PYTHON,
    // Batches are sent every second, and the environment is frozen between invocations.
    function: { bootstrap: shellRuntime('sleep 1; respond "$EVENT"') },
    invoked: /Successfully subscribed to Logs API: b'"OK"'(?:.|\n)*BATCH RECEIVED: .*'platform\.start'/,
  },
  {
    directory: 'nodejs-example-lambda-runtime-api-proxy-extension',
    layer: own('nodejs-example-lambda-runtime-api-proxy-extension'),
    names: ['nodejs-example-lambda-runtime-api-proxy-extension'],
    // The part of its wrapper script that a custom runtime needs.
    function: {
      bootstrap: shellRuntime(
        'curl -sS -o /dev/null -H "Content-Type: application/json" -d "$EVENT" "$API/invocation/$ID/response"',
      ).replace('API=', 'AWS_LAMBDA_RUNTIME_API=127.0.0.1:9009\nAPI='),
    },
    invoked: /\[LRAP:RuntimeProxy\] handleNext/,
    answers: /"lrap-processed":true/,
  },
  {
    directory: 'custom-runtime-extension-demo',
    layer: { 'extensionssrc/extensions': 'extensions', 'runtime/bootstrap': 'bootstrap' },
    names: ['extension1.sh', 'extension2.sh'],
    function: { 'function.sh': { content: '', mode: 0o755 } },
    invoked: /\[extension1\.sh\] DONE PROCESSING/,
    ended: /\[extension: extension2\.sh\] Received SHUTDOWN event/,
    answers: /Echoing request: '\{"number":\d\}'/,
  },
];

const found = SAMPLES.filter(({ directory }) => CHECKOUT !== '' && existsSync(join(CHECKOUT, directory)));

describe.runIf(found.length > 0)("an extension from AWS's samples", () => {
  let service: RunningService;
  let logs: CloudWatchLogsClient;

  beforeAll(async () => {
    service = await startService();
    const credentials = { accessKeyId: 'test', secretAccessKey: 'test' };
    logs = new CloudWatchLogsClient({ endpoint: service.url, region: 'us-east-1', credentials });
  });
  afterAll(async () => {
    logs.destroy();
    await service.close();
  });
  const logOf = async (name: string): Promise<string> => {
    const { events = [] } = await logs.send(new FilterLogEventsCommand({ logGroupName: `/aws/lambda/${name}` }));
    return events.map(({ message }) => message).join('');
  };

  it.each(found)(
    '$directory runs as it is',
    async (sample) => {
      const { directory, names, invoked, ended, answers = /^\{"number":\d\}$/ } = sample;
      const files = Object.entries(sample.layer).flatMap(([from, to]) => filesOf(join(CHECKOUT, directory, from), to));
      const layer = await service.publishLayer(directory, { ...Object.fromEntries(files), ...sample.files });
      const script = join(CHECKOUT, directory, 'functionsrc/function.sh');
      const code = existsSync(script) ? { 'function.sh': readFileSync(script) } : (sample.function ?? ECHOES);
      const more = {
        Layers: [layer],
        Timeout: 60,
        MemorySize: 512,
        Handler: 'function.handler',
        Environment: { Variables: { ...sample.variables } },
      };
      await service.createFunction(directory, code, more);
      for (const number of [1, 2, 3]) {
        const { functionError, payload, log } = await service.invoke(directory, { number });
        expect([functionError, payload], log).toEqual([undefined, expect.stringMatching(answers)]);
      }
      const log = await logOf(directory);
      for (const name of names) expect(log).toContain(`EXTENSION\tName: ${name}\tState: Ready\tEvents: [`);
      expect(log).toMatch(invoked);
      if (ended === undefined) return;
      await service.client.send(new UpdateFunctionConfigurationCommand({ FunctionName: directory, Timeout: 59 }));
      await expect.poll(() => logOf(directory), { timeout: 5000 }).toMatch(ended);
    },
    120_000,
  );
});

function filesOf(path: string, name: string): [string, ZipFiles[string]][] {
  const stats = statSync(path);
  if (stats.isDirectory()) return readdirSync(path).flatMap((entry) => filesOf(join(path, entry), `${name}/${entry}`));
  // The authors ask to make some files executable first.
  return [[name, { content: readFileSync(path), mode: (stats.mode | 0o111) & 0o777 }]];
}
