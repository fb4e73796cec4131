/** A service to measure, with PHP hello functions, and the statistics that the benchmarks print. */
import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import {
  CreateFunctionCommand,
  LambdaClient,
  PublishLayerVersionCommand,
  waitUntilFunctionActiveV2,
} from '@aws-sdk/client-lambda';
import { writeZip } from '../src/packaging/zip-writer.ts';

export const ROOT = process.env.LAMELLA_ROOT ?? resolve(import.meta.dirname, '..');
const LAMELLA = join(ROOT, 'bin', 'lamella');
/** One vCPU on AWS, so that no quota slows either side. */
const MEMORY_MB = 1769;

export type RunningService = {
  readonly url: string;
  /** Where the HTTP gateways are. */
  readonly http: string;
  readonly client: LambdaClient;
  /** The layer's archive, the same for every function. */
  readonly layer: string;
  /** Creates a function from `source`, a file of this repository, and waits until it can be invoked. */
  createHello(name: string, source?: string): Promise<void>;
  stop(): Promise<void>;
};

/** Starts a service on an empty data directory, with the PHP runtime layer published. `more` are further arguments. */
export async function startService(more: readonly string[] = []): Promise<RunningService> {
  const directory = mkdtempSync(join(tmpdir(), 'lamella-bench-'));
  const layer = join(directory, 'php.zip');
  const built = spawnSync(LAMELLA, ['layer', 'build', 'php', '--version', '8.4', '-o', layer], { encoding: 'utf8' });
  if (built.status !== 0) throw new Error(built.stderr);

  const child = spawn(LAMELLA, ['start', '--port', '0', '--ephemeral', '--json', ...more], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const ended = new Promise<void>((settle) => child.once('exit', () => settle()));
  const line = await new Promise<string>((settle) => createInterface({ input: child.stdout }).once('line', settle));
  const { lambda: url, http } = JSON.parse(line) as { lambda: string; http: string };
  const client = new LambdaClient({
    endpoint: url,
    region: 'us-east-1',
    credentials: { accessKeyId: 'b', secretAccessKey: 'b' },
  });
  const published = await client.send(
    new PublishLayerVersionCommand({ LayerName: 'php', Content: { ZipFile: readFileSync(layer) } }),
  );
  return {
    url,
    http,
    client,
    layer,
    async createHello(name, source = 'examples/walkthrough/src/hello.php') {
      const hello = join(directory, `${name}.zip`);
      const content = { kind: 'file', source: join(ROOT, source) } as const;
      await writeZip(hello, [{ path: 'src/hello.php', mode: 0o644, content }]);
      await client.send(
        new CreateFunctionCommand({
          FunctionName: name,
          Handler: 'hello',
          Runtime: 'provided.al2023',
          Role: 'arn:aws:iam::123456789012:role/any',
          MemorySize: MEMORY_MB,
          Code: { ZipFile: readFileSync(hello) },
          Layers: [published.LayerVersionArn ?? ''],
        }),
      );
      await waitUntilFunctionActiveV2(
        { client, maxWaitTime: 30, minDelay: 0.02, maxDelay: 0.2 },
        { FunctionName: name },
      );
    },
    async stop() {
      child.kill('SIGTERM');
      await ended;
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

/** The value below which this share of all values lies; `percentile(values, 0.5)` is the median. */
export function percentile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}

/** One line of a result: name, median, 90th percentile and how many times `base` the median is. */
export function resultLine(name: string, values: readonly number[], unit: string, base: readonly number[]): string {
  const median = percentile(values, 0.5);
  const ratio = median / percentile(base, 0.5);
  const figures = [median, percentile(values, 0.9)].map((value) => `${value.toFixed(2)} ${unit}`.padStart(12));
  return `${name.padEnd(52)}${figures.join('')}${`${ratio.toFixed(2)} x`.padStart(10)}`;
}

export function headLine(): string {
  return `${''.padEnd(52)}${'p50'.padStart(12)}${'p90'.padStart(12)}${'p50 ratio'.padStart(10)}`;
}
