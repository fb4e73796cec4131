/**
 * An application as a function of a whole service: its zipped directory, our PHP layer with the extensions that it needs, `http`
 * mode, and a gateway of every kind with its own host name.
 */
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { CloudWatchLogsClient, FilterLogEventsCommand } from '@aws-sdk/client-cloudwatch-logs';
import {
  CreateFunctionUrlConfigCommand,
  PublishLayerVersionCommand,
  PutFunctionConcurrencyCommand,
} from '@aws-sdk/client-lambda';
import { entriesOfDirectory } from '../../src/packaging/directory-entries.ts';
import { writeZip } from '../../src/packaging/zip-writer.ts';
import { unpackedPhpLayer } from '../support/php-sandbox.ts';
import { ROLE, type RunningService, startService } from '../support/running-service.ts';
import { until } from '../support/until.ts';
import { Browser } from './browser.ts';

export const GATEWAYS = ['function URL', 'HTTP API', 'REST API', 'load balancer'] as const;
export type GatewayName = (typeof GATEWAYS)[number];

export type ServedApplication = {
  readonly service: RunningService;
  /** A browser without cookies, for the address of the gateway. */
  browser(gateway: GatewayName): Browser;
  /** Everything that the function has logged so far. */
  log(): Promise<string>;
  close(): Promise<void>;
};

export type ApplicationRequest = {
  /** A directory for temporary files. */
  readonly directory: string;
  /** The function's package, with the handler. */
  readonly task: string;
  /** The layer from `unpackedPhpLayer`. */
  readonly layer: string;
  readonly handler: string;
  readonly environment?: Readonly<Record<string, string>>;
};

const NAME = 'application';
const KINDS = { 'HTTP API': 'http-api', 'REST API': 'rest-api', 'load balancer': 'load-balancer' } as const;

/** A layer with php-cgi and `extensions`, unpacked below `directory`, next to its zip. */
export function applicationLayer(directory: string, version: string, extensions: readonly string[]): Promise<string> {
  return unpackedPhpLayer(directory, { version, extensions, webServer: true });
}

export async function serveApplication(request: ApplicationRequest): Promise<ServedApplication> {
  const code = join(request.directory, 'function.zip');
  await writeZip(code, await entriesOfDirectory(request.task));
  const service = await startService({ logLevel: 'warn' });
  const layer = await service.client.send(
    new PublishLayerVersionCommand({ LayerName: 'php', Content: { ZipFile: readFileSync(`${request.layer}.zip`) } }),
  );
  await service.createFunction(
    NAME,
    {},
    {
      Code: { ZipFile: readFileSync(code) },
      Handler: request.handler,
      Role: ROLE,
      Layers: [layer.LayerVersionArn ?? ''],
      MemorySize: 1024,
      Timeout: 60,
      Environment: { Variables: { LAMELLA_MODE: 'http', ...request.environment } },
    },
  );
  // One environment, because the applications keep files in its /tmp.
  await service.client.send(new PutFunctionConcurrencyCommand({ FunctionName: NAME, ReservedConcurrentExecutions: 1 }));
  const { port } = new URL(service.lamella.http.url);
  const hosts = new Map<GatewayName, string>();
  const url = await service.client.send(new CreateFunctionUrlConfigCommand({ FunctionName: NAME, AuthType: 'NONE' }));
  hosts.set('function URL', new URL(url.FunctionUrl ?? '').host);
  for (const gateway of ['HTTP API', 'REST API', 'load balancer'] as const) {
    const kind = KINDS[gateway];
    const host = `${kind}.localhost`;
    const all = kind === 'load-balancer' ? [{ path: '/*' }] : [{ route: 'ANY /' }, { route: 'ANY /{proxy+}' }];
    service.lamella.http.put(kind, {
      kind,
      hosts: [host],
      routes: all.map((route) => ({ ...route, function: NAME })),
      ...(kind === 'rest-api' && { binaryMediaTypes: ['*/*'] }),
    });
    hosts.set(gateway, `${host}:${port}`);
  }
  const logs = new CloudWatchLogsClient({
    endpoint: service.url,
    region: 'us-east-1',
    credentials: { accessKeyId: 'test', secretAccessKey: 'test' },
  });
  const log = async () => {
    const { events } = await logs
      .send(new FilterLogEventsCommand({ logGroupName: `/aws/lambda/${NAME}` }))
      .catch(() => ({ events: [] }));
    return (events ?? []).map(({ message }) => message).join('\n');
  };
  // A client gets its response before the environment is free again. Without this it would be throttled.
  const isIdle = () =>
    until(async () => {
      const lines = (await log()).split('\n');
      const count = (word: string) => lines.filter((line) => line.startsWith(`${word} RequestId`)).length;
      return count('START') === count('REPORT');
    });
  return {
    service,
    browser: (gateway) => new Browser(`http://${hosts.get(gateway)}/`, `127.0.0.1:${port}`, isIdle),
    log,
    async close() {
      logs.destroy();
      await service.close();
    },
  };
}

/** Runs one of the application's own command-line scripts with the layer's PHP. */
export function runScript(layer: string, task: string, tmp: string, args: readonly string[]): string {
  const binds = ['--ro-bind', '/usr', '/usr', '--symlink', 'usr/lib', '/lib', '--symlink', 'usr/lib64', '/lib64'];
  const own = ['--ro-bind', layer, '/opt', '--ro-bind', task, '/var/task', '--bind', tmp, '/tmp'];
  const rest = [
    '--proc',
    '/proc',
    '--dev',
    '/dev',
    '--unshare-pid',
    '--die-with-parent',
    '--symlink',
    'usr/bin',
    '/bin',
  ];
  const run = spawnSync('bwrap', [...binds, ...own, ...rest, '/opt/bin/php', ...args], { encoding: 'utf8' });
  if (run.status !== 0) throw new Error(`${args[0]} exited with ${run.status}: ${run.stdout}${run.stderr}`);
  return run.stdout;
}
