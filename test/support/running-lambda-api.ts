/**
 * The Lambda API on a temporary data directory. Everything below it is real except the environments: the test decides how
 * an invocation ends. For tests of the API itself; whole invocations are tested in test/flows.
 */
import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { LambdaClient, type LambdaClientConfig } from '@aws-sdk/client-lambda';
import { openFunctions } from '../../src/assembly/functions.ts';
import { systemClock } from '../../src/clock.ts';
import type { Invocation, Outcome } from '../../src/environment/invocation.ts';
import type { FunctionVersion } from '../../src/functions/function.ts';
import type { Functions } from '../../src/functions/functions.ts';
import type { FunctionSettings } from '../../src/functions/settings/open-settings.ts';
import { listen } from '../../src/http/listener.ts';
import { keyOf } from '../../src/invocation/pool.ts';
import { createProvisioner, provisionTargets } from '../../src/invocation/provisioner.ts';
import type { LambdaApiDependencies } from '../../src/lambda-api/server.ts';
import { createLambdaApi } from '../../src/lambda-api/server.ts';
import { Lifetime } from '../../src/lifetime.ts';
import { silentLog } from '../../src/log.ts';
import type { RequestId } from '../../src/protocol/names.ts';
import { openDataDirectory } from '../../src/storage/data-directory.ts';
import { openDatabase } from '../../src/storage/database.ts';
import { zipOf } from './function-zip.ts';

export const SCOPE = { region: 'us-east-1', account: '123456789012' };
export const ROLE = `arn:aws:iam::${SCOPE.account}:role/test`;
export const FUNCTION_ARN = `arn:aws:lambda:${SCOPE.region}:${SCOPE.account}:function`;
export const LAYER_ARN = `arn:aws:lambda:${SCOPE.region}:${SCOPE.account}:layer`;

export type RunningLambdaApi = {
  readonly url: string;
  readonly client: LambdaClient;
  readonly functions: Functions;
  readonly settings: FunctionSettings;
  /** Unexpected failures of operations; tests assert that it is empty. */
  readonly failures: unknown[];
  readonly directory: string;
  close(): Promise<void>;
};

export type RunningLambdaApiOptions = {
  readonly invoke?: (version: FunctionVersion, invocation: Invocation) => Promise<Outcome>;
  readonly acceptEvent?: LambdaApiDependencies['acceptEvent'];
  readonly stateDelayMs?: number;
  readonly readObject?: LambdaApiDependencies['readObject'];
  readonly chance?: () => number;
};

const NO_BUCKET = { errorCode: 'NoSuchBucket', errorMessage: 'The specified bucket does not exist' };

/** Returns the event. */
export async function echo(version: FunctionVersion, { payload }: Invocation): Promise<Outcome> {
  return {
    kind: 'returned',
    payload,
    contentType: 'application/json',
    executedVersion: version.version,
    logTail: undefined,
  };
}

export async function startLambdaApi(options: RunningLambdaApiOptions = {}): Promise<RunningLambdaApi> {
  const lifetime = new Lifetime();
  const directory = mkdtempSync(join(tmpdir(), 'lamella-api-'));
  lifetime.onClose(() => rmSync(directory, { recursive: true }));
  const data = lifetime.own(openDataDirectory({ directory: directory }));
  const database = lifetime.own(openDatabase(data.database));
  const clock = systemClock;
  const opened = openFunctions(
    {
      database,
      data,
      clock,
      log: silentLog,
      accountConcurrency: 1000,
      chance: options.chance ?? Math.random,
      stateDelayMs: options.stateDelayMs,
    },
    lifetime,
  );
  const { functions, settings } = opened;
  // Allocates nothing, immediately.
  const prepared = new Map<string, number>();
  const provisioner = createProvisioner({
    pool: {
      provision: (version, count) => void prepared.set(keyOf(version), count),
      provisionedStatus: (version) => ({ allocated: prepared.get(keyOf(version)) ?? 0, status: 'READY' }),
    },
    targets: () => provisionTargets(settings),
  });
  const { handle } = createLambdaApi({
    ...opened,
    provisioner,
    invoke: options.invoke ?? echo,
    acceptEvent: options.acceptEvent ?? (async () => undefined),
    readObject: options.readObject ?? (async () => NO_BUCKET),
    clock,
  });
  const failures: unknown[] = [];
  const listener = lifetime.own(
    await listen({
      host: '127.0.0.1',
      port: 0,
      handler: (request, response) =>
        handle({
          request,
          response,
          requestId: randomUUID() as RequestId,
          scope: SCOPE,
          baseUrl: `http://${request.headers.host}`,
          accessKeyId: undefined,
        }),
      onFailure: (failure) => failures.push(failure),
    }),
  );
  const url = `http://127.0.0.1:${listener.port}`;
  const client = lambdaClient(url);
  lifetime.onClose(() => client.destroy());
  return { url, client, functions, settings, failures, directory, close: () => lifetime.close() };
}

/** An AWS SDK client without retries, so that a test sees the first response. */
export function lambdaClient(endpoint: string, config: LambdaClientConfig = {}): LambdaClient {
  return new LambdaClient({
    endpoint,
    region: SCOPE.region,
    credentials: { accessKeyId: 'AKIAIOSFODNN7EXAMPLE', secretAccessKey: 'secret' },
    maxAttempts: 1,
    ...config,
  });
}

/** Code that is never run. */
export function someCode(content = 'x'): Promise<Buffer> {
  return zipOf({ bootstrap: `#!/bin/sh\n# ${content}\n` });
}
