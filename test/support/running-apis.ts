/** The API port with IAM, STS and CloudWatch Logs on a temporary database, for tests of those. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createApiHandler } from '../../src/api-port/api-port.ts';
import { createAuthenticator } from '../../src/api-port/authentication.ts';
import type { Clock } from '../../src/clock.ts';
import { systemClock } from '../../src/clock.ts';
import { listen } from '../../src/http/listener.ts';
import { Lifetime } from '../../src/lifetime.ts';
import { silentLog } from '../../src/log.ts';
import { createQueues } from '../../src/queues/queue.ts';
import type { IamApi } from '../../src/services/iam/iam-api.ts';
import { createIamApi } from '../../src/services/iam/iam-api.ts';
import type { StsApi } from '../../src/services/iam/sts-api.ts';
import { createStsApi } from '../../src/services/iam/sts-api.ts';
import type { LogStore } from '../../src/services/logs/log-store.ts';
import { createLogStore } from '../../src/services/logs/log-store.ts';
import { createLogsApi } from '../../src/services/logs/logs-api.ts';
import type { S3Api } from '../../src/services/s3/s3-api.ts';
import { createS3Api } from '../../src/services/s3/s3-api.ts';
import { createSnsApi } from '../../src/services/sns/sns-api.ts';
import { createSnsTopics } from '../../src/services/sns/sns-topics.ts';
import { createQueueGateway } from '../../src/services/sqs/queue-access.ts';
import { createSqsApi } from '../../src/services/sqs/sqs-api.ts';
import { createSqsMessages } from '../../src/services/sqs/sqs-messages.ts';
import { createSqsQueues } from '../../src/services/sqs/sqs-queues.ts';
import { openDatabase } from '../../src/storage/database.ts';
import type { ServiceHandler } from '../../src/wire/api-call.ts';

export type RunningApis = {
  readonly url: string;
  readonly port: number;
  readonly logStore: LogStore;
  readonly iam: IamApi;
  readonly sts: StsApi;
  readonly s3: S3Api;
  /** Functions that topics have notified. */
  readonly notified: readonly { readonly arn: string; readonly event: string }[];
  /** The data folder. */
  readonly root: string;
  /** What APIs listen to that answer late. */
  readonly closing: AbortController;
  close(): Promise<void>;
};

export type RunningApisOptions = {
  readonly clock?: Clock;
  /** Stands where the Lambda API will. */
  readonly lambda?: ServiceHandler;
  readonly allowedHosts?: readonly string[];
  /** Verify signatures by these keys, and by the temporary ones. */
  readonly enforcedKeys?: Readonly<Record<string, string>>;
};

export const TEST_ACCOUNT = '123456789012';

/** What AWS's clients need to be told: any key will do. */
export const TEST_CREDENTIALS = { accessKeyId: 'AKIAIOSFODNN7EXAMPLE', secretAccessKey: 'secret' };

export async function startApis(options: RunningApisOptions = {}): Promise<RunningApis> {
  const clock = options.clock ?? systemClock;
  const lifetime = new Lifetime();
  const folder = mkdtempSync(join(tmpdir(), 'lamella-apis-'));
  lifetime.onClose(() => rmSync(folder, { recursive: true }));
  const database = lifetime.own(openDatabase(join(folder, 'test.db')));
  const logStore = lifetime.own(createLogStore({ database, clock, log: silentLog }));
  const iam = createIamApi({ database, clock, log: silentLog });
  const sts = createStsApi({ database, clock, log: silentLog, iam });
  const s3 = createS3Api({ database, clock, log: silentLog, root: folder });
  const queues = createQueues({ database, clock, log: silentLog });
  lifetime.onClose(() => queues.close());
  const sqsQueues = createSqsQueues({ database, clock });
  const sqsMessages = createSqsMessages({ queues, sqsQueues, clock });
  const gateway = createQueueGateway({ sqsQueues, sqsMessages });
  const notified: { arn: string; event: string }[] = [];
  const topics = createSnsTopics({
    database,
    senders: {
      invoke: async (arn, event) => void notified.push({ arn, event }),
      send: (arn, body, attributes, traceId) => gateway.send(arn, { body, attributes, traceId }),
    },
    clock,
    log: silentLog,
  });
  const { enforcedKeys } = options;
  const secretOf = (accessKeyId: string) => enforcedKeys?.[accessKeyId] ?? sts.secretOf(accessKeyId);
  const closing = new AbortController();
  const failures: unknown[] = [];
  const handler = createApiHandler({
    lambda: options.lambda ?? (async ({ response }) => void response.writeHead(404).end()),
    iam: iam.handle,
    sts: sts.handle,
    logs: createLogsApi({ logStore, clock, log: silentLog, closing: closing.signal }),
    s3: s3.handle,
    sns: createSnsApi({ topics, log: silentLog }),
    sqs: createSqsApi({ sqsQueues, sqsMessages, clock, log: silentLog, closing: closing.signal }),
    defaultRegion: 'us-east-1',
    accountId: TEST_ACCOUNT,
    allowedHosts: options.allowedHosts ?? [],
    authenticator: enforcedKeys && createAuthenticator({ secretOf, clock }),
    log: silentLog,
  });
  const listener = await listen({
    host: '127.0.0.1',
    port: 0,
    handler,
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
    root: folder,
    closing,
    close: () => lifetime.close(),
  };
}
