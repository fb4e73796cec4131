/** The API port with every service but Lambda on a temporary data directory, for tests of those services. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createApiHandler } from '../../src/api-port/api-port.ts';
import { createAuthenticator } from '../../src/api-port/authentication.ts';
import { openServices, type Services } from '../../src/assembly/services.ts';
import type { Clock } from '../../src/clock.ts';
import { type AdjustableClock, createAdjustableClock, systemClock } from '../../src/clock.ts';
import { listen } from '../../src/http/listener.ts';
import { Lifetime } from '../../src/lifetime.ts';
import { silentLog } from '../../src/log.ts';
import { parseScheduleArn } from '../../src/protocol/arn.ts';
import type { RemoteDynamo } from '../../src/services/dynamodb/dynamodb-api.ts';
import { createSchedules } from '../../src/services/events/schedules.ts';
import { openDatabase } from '../../src/storage/database.ts';
import type { ServiceHandler } from '../../src/wire/api-call.ts';
import { createServiceCall } from '../../src/wire/service-call.ts';

export type RunningApis = Pick<Services, 'logStore' | 'iam' | 'sts' | 's3'> & {
  readonly url: string;
  readonly port: number;
  /** Events that topics sent to functions. */
  readonly notified: readonly { readonly arn: string; readonly event: string }[];
  /** The data directory. */
  readonly root: string;
  /** Time of schedules and queues. */
  readonly backgroundClock: AdjustableClock;
  /** Ends requests that wait for messages or log events. */
  readonly closing: AbortController;
  close(): Promise<void>;
};

export type RunningApisOptions = {
  readonly clock?: Clock;
  /** Replaces the Lambda API. */
  readonly lambda?: ServiceHandler;
  readonly allowedHosts?: readonly string[];
  readonly remoteDynamo?: RemoteDynamo;
  /** Verify signatures with these keys and with temporary ones. */
  readonly enforcedKeys?: Readonly<Record<string, string>>;
};

export const TEST_ACCOUNT = '123456789012';

/** AWS's clients need credentials; any will do. */
export const TEST_CREDENTIALS = { accessKeyId: 'AKIAIOSFODNN7EXAMPLE', secretAccessKey: 'secret' };

export async function startApis(options: RunningApisOptions = {}): Promise<RunningApis> {
  const clock = options.clock ?? systemClock;
  const lifetime = new Lifetime();
  const backgroundClock = createAdjustableClock(clock);
  const root = mkdtempSync(join(tmpdir(), 'lamella-apis-'));
  lifetime.onClose(() => rmSync(root, { recursive: true }));
  const database = lifetime.own(openDatabase(join(root, 'test.db')));
  const notified: { arn: string; event: string }[] = [];
  const closing = new AbortController();
  const schedules = lifetime.own(
    createSchedules({
      database,
      send: (arn, event, time) =>
        parseScheduleArn(arn) === undefined
          ? services.eventRules.fire(arn, event)
          : services.runSchedule(arn, event, time),
      clock: backgroundClock,
      log: silentLog,
    }),
  );
  const services: Services = openServices(
    {
      database,
      root,
      clock,
      backgroundClock,
      log: silentLog,
      remoteSqs: undefined,
      remoteDynamo: options.remoteDynamo,
      sendEvent: async (arn, event) => void notified.push({ arn, event }),
      // Functions whose names begin with `open` have permissions for every service.
      mayInvoke: (arn) => /:function:open/.test(arn),
      logGroupOf: (arn) => `/aws/lambda/${arn.replace(/.*:/, '')}`,
      call: (...call) => createServiceCall({ operations: services.operations, baseUrl: () => '' })(...call),
      publisher: { publish: () => undefined, port: () => 3000 },
      schedules: () => schedules,
      closing: closing.signal,
    },
    lifetime,
  );
  const { logStore, iam, sts, s3, queues } = services;
  lifetime.onClose(() => queues.close());
  const { enforcedKeys } = options;
  const keyOf = (accessKeyId: string) => {
    const secret = enforcedKeys?.[accessKeyId];
    return secret === undefined ? sts.keyOf(accessKeyId) : { secret };
  };
  const failures: unknown[] = [];
  const listener = await listen({
    host: '127.0.0.1',
    port: 0,
    handler: createApiHandler({
      ...services.handlers,
      lambda: options.lambda ?? (async ({ response }) => void response.writeHead(404).end()),
      defaultRegion: 'us-east-1',
      accountId: TEST_ACCOUNT,
      allowedHosts: options.allowedHosts ?? [],
      authenticator: enforcedKeys && createAuthenticator({ keyOf, clock }),
      log: silentLog,
    }),
    onFailure: (failure) => failures.push(failure),
  });
  lifetime.own({ close: () => listener.close() });
  lifetime.onClose(() => {
    if (failures.length > 0) throw new AggregateError(failures, 'a handler failed');
  });
  return {
    url: `http://127.0.0.1:${listener.port}`,
    port: listener.port,
    logStore,
    iam,
    sts,
    s3,
    notified,
    backgroundClock,
    root,
    closing,
    close: () => lifetime.close(),
  };
}
