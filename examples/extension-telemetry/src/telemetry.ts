/**
 * An external extension that subscribes to the function's telemetry and writes a summary of each invocation to the function's
 * log. The bundle is in a layer at extensions/telemetry. Lambda starts it before the runtime, as a separate process.
 * https://docs.aws.amazon.com/lambda/latest/dg/runtimes-extensions-api.html
 */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { basename } from 'node:path';
import { createExtensionClient } from 'lamella/extension-client';

type Event = { readonly type: string; readonly record: { readonly requestId?: string; readonly metrics?: object } };

const lambda = createExtensionClient({
  address: process.env.AWS_LAMBDA_RUNTIME_API ?? '',
  // The name of an extension must be the name of its file.
  name: basename(process.argv[1] ?? ''),
});

const server = createServer((request, response) => {
  const chunks: Buffer[] = [];
  request.on('data', (chunk: Buffer) => chunks.push(chunk));
  request.on('end', () => {
    response.end();
    for (const { type, record } of JSON.parse(Buffer.concat(chunks).toString()) as Event[]) {
      if (type !== 'platform.report') continue;
      console.log(`telemetry: ${record.requestId} ${JSON.stringify(record.metrics)}`);
    }
  });
});

async function main(): Promise<void> {
  await lambda.register(['INVOKE', 'SHUTDOWN']);
  await new Promise<void>((resolve) => server.listen(0, resolve));
  const { port } = server.address() as AddressInfo;
  await lambda.subscribeToTelemetry({
    types: ['platform'],
    destination: { protocol: 'HTTP', URI: `http://sandbox.localdomain:${port}/` },
    buffering: { timeoutMs: 100 },
  });

  for (;;) {
    const event = await lambda.nextEvent();
    if (event.eventType === 'SHUTDOWN') {
      console.log(`telemetry: shutting down (${event.shutdownReason})`);
      break;
    }
  }
  server.close();
  lambda.close();
}

main().catch(async (failure) => {
  console.error(failure);
  await lambda.failInitialization('Extension.Failed', failure).catch(() => undefined);
  process.exit(1);
});
