/** The example extension, built as in its README, with the real Extensions and Telemetry APIs. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { build } from 'esbuild';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { systemClock } from '../src/clock.ts';
import { startRuntimeApi } from '../src/runtime-api/server.ts';
import { type Offer, RuntimeSession } from '../src/runtime-api/session.ts';
import { TelemetryStream } from '../src/runtime-api/telemetry/telemetry-stream.ts';
import { createRuntimeClient } from '../src/runtime-client/runtime-client.ts';

const ROOT = resolve(import.meta.dirname, '..');
const REQUEST_ID = '8476a536-e9f4-11e8-9739-2dfe598c3fcd';
const METRICS = { durationMs: 1.5, billedDurationMs: 2, memorySizeMB: 128, maxMemoryUsedMB: 30 };

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'lamella-extension-'));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

describe('examples/extension-telemetry', () => {
  it('receives an invocation, writes its line, and exits on SHUTDOWN', async () => {
    const program = join(directory, 'telemetry');
    await build({
      entryPoints: [join(ROOT, 'examples/extension-telemetry/src/telemetry.ts')],
      outfile: program,
      bundle: true,
      platform: 'node',
      alias: { 'lamella/extension-client': join(ROOT, 'src/runtime-client/extension-client.ts') },
    });
    const telemetry = new TelemetryStream({ clock: systemClock });
    let allReady: () => void = () => undefined;
    const ready = new Promise<void>((done) => {
      allReady = done;
    });
    const session = new RuntimeSession((event) => {
      if (event.kind === 'all-ready') allReady();
    }, telemetry);
    session.extensions.expect(['telemetry']);
    const listener = await startRuntimeApi({
      session,
      metadata: { accountId: '123456789012', functionName: 'hello', functionVersion: '1', handler: 'h' },
      host: '127.0.0.1',
      port: 0,
      onFailure: (failure) => {
        throw failure;
      },
    });
    const address = `127.0.0.1:${listener.port}`;
    const extension = spawn(process.execPath, [program], {
      env: { AWS_LAMBDA_RUNTIME_API: address },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    let output = '';
    extension.stdout.on('data', (chunk) => {
      output += chunk;
    });
    const lambda = createRuntimeClient({ address });
    try {
      const next = lambda.next();
      await ready;
      session.offer({
        requestId: REQUEST_ID,
        deadlineMs: 0,
        invokedFunctionArn: 'arn',
        traceId: 'Root=1-1',
        clientContext: undefined,
        cognitoIdentity: undefined,
        payload: Buffer.from('{}'),
      } as Offer);
      await lambda.respond((await next).requestId, 'null');
      const record = { requestId: REQUEST_ID, metrics: METRICS, status: 'success' } as const;
      telemetry.publish({ type: 'platform.report', epochMs: 0, record });
      await once(extension.stdout, 'data');
      expect(output).toBe(`telemetry: ${REQUEST_ID} ${JSON.stringify(METRICS)}\n`);
      session.extensions.publish({ eventType: 'SHUTDOWN', deadlineMs: 0, shutdownReason: 'spindown' });
      expect(await once(extension, 'close')).toEqual([0, null]);
      expect(output).toContain('telemetry: shutting down (spindown)\n');
    } finally {
      extension.kill('SIGKILL');
      lambda.close();
      await listener.close();
    }
  });
});
