/**
 * One event source mapping of a queue: takes messages, makes batches of them, invokes the function, and removes what it
 * has processed. What it could not process shows itself again when the queue's visibility time-out is over: a poller
 * that dies loses nothing. Pollers back off by running fewer batches at a time, as Lambda's do.
 * https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-scaling.html
 */
import { randomUUID } from 'node:crypto';
import type { Clock } from '../../clock.ts';
import { sleep } from '../../clock.ts';
import type { Invocation, Outcome } from '../../environment/invocation.ts';
import type { FunctionVersion } from '../../functions/function.ts';
import type { FunctionSettings } from '../../functions/settings/open-settings.ts';
import { isRecursive } from '../../invocation/recursion.ts';
import { createTraces, type Trace } from '../../invocation/trace-header.ts';
import type { Log } from '../../log.ts';
import { parseFunctionReference, renderFunctionArn } from '../../protocol/arn.ts';
import type { RequestId, Scope } from '../../protocol/names.ts';
import type { QueueAccess } from '../../services/sqs/queue-access.ts';
import type { SqsMessage } from '../../services/sqs/sqs-messages.ts';
import type { EventSourceMapping } from '../event-source-mappings.ts';
import {
  createRecordFilter,
  parseBatchFailures,
  type RecordFilter,
  renderRecord,
  renderSqsEvent,
} from './sqs-event.ts';

export type PollerOptions = {
  readonly queueAccess: QueueAccess;
  readonly settings: Pick<FunctionSettings, 'resolve' | 'recursion'>;
  readonly invoke: (version: FunctionVersion, invocation: Invocation) => Promise<Outcome>;
  readonly clock: Clock;
  readonly log: Log;
};

export type Poller = {
  /** Takes no more; resolves when the batches that run have ended. */
  close(): Promise<void>;
};

/** Batches at a time of a mapping that names no maximum: with so many Lambda starts to poll. */
const USUAL_CONCURRENCY = 5;
/** Of an invocation's event. */
const BATCH_BYTES = 6 * 1024 * 1024;
const POLL_SECONDS = 20;
/** After a failure to poll, and between tries of a throttled batch. */
const PAUSE_MS = { first: 1000, most: 30_000 };

type Batch = { readonly messages: readonly SqsMessage[]; readonly takenMs: number };

export function startSqsPoller(scope: Scope, mapping: EventSourceMapping, options: PollerOptions): Poller {
  const { queueAccess, clock, log } = options;
  const arn = mapping.eventSourceArn ?? '';
  const settings = settingsOf(mapping);
  const stopping = new AbortController();
  const { signal } = stopping;
  const traces = createTraces(clock);
  const running = new Set<Promise<void>>();
  let limit = settings.concurrency;
  let ended = () => {};

  const aboutThis = { mapping: mapping.uuid, queue: arn, function: mapping.functionArn };

  async function poll(): Promise<void> {
    let failures = 0;
    while (!signal.aborted) {
      if (running.size >= Math.floor(limit)) {
        await new Promise<void>((resolve) => {
          ended = resolve;
        });
        continue;
      }
      try {
        const batch = await collect();
        failures = 0;
        if (signal.aborted) return await giveBack(batch);
        if (batch.messages.length > 0) start(batch);
      } catch (failure) {
        failures += 1;
        // Once is news, each further time is not.
        log[failures === 1 ? 'warn' : 'debug']({ err: failure, ...aboutThis }, 'an event source could not be polled');
        await sleep(clock, Math.min(PAUSE_MS.first * 2 ** failures, PAUSE_MS.most), signal);
      }
    }
  }

  /** What makes a batch: as many as fit, or what came within the window. */
  async function collect(): Promise<Batch> {
    const { batchSize, windowMs } = settings;
    const messages = await queueAccess.receive(arn, {
      count: Math.min(10, batchSize),
      waitSeconds: POLL_SECONDS,
      signal,
    });
    const takenMs = clock.epochMs();
    if (messages.length === 0 || windowMs === 0) return { messages, takenMs };
    const endMs = takenMs + windowMs;
    let bytes = bytesOf(messages);
    while (messages.length < batchSize && bytes < BATCH_BYTES - 10 * MESSAGE_OVERHEAD && !signal.aborted) {
      const leftMs = endMs - clock.epochMs();
      if (leftMs <= 0) break;
      const count = Math.min(10, batchSize - messages.length);
      const more = await queueAccess.receive(arn, {
        count,
        waitSeconds: Math.min(leftMs / 1000, POLL_SECONDS),
        signal,
      });
      bytes += bytesOf(more);
      messages.push(...more);
    }
    return { messages: lastTaken(messages), takenMs };
  }

  function start(batch: Batch): void {
    const run = runBatch(batch)
      .catch((failure: unknown) => log.error({ err: failure, ...aboutThis }, 'a batch failed here'))
      .finally(() => {
        running.delete(run);
        ended();
      });
    running.add(run);
  }

  async function runBatch({ messages, takenMs }: Batch): Promise<void> {
    const records = messages.map((message) => ({ message, record: renderRecord(message, arn, settings.windowMs > 0) }));
    const wanted = records.filter(({ record }) => settings.filter(record));
    const unwanted = records.filter(({ record }) => !settings.filter(record));
    if (unwanted.length > 0) await remove(unwanted.map(({ message }) => message));

    for (const part of partsOf(wanted)) {
      const trace = traceOf(part.map(({ message }) => message));
      if (isRecursive(options.settings, scope, mapping.functionName, trace)) {
        await giveUp(part.map(({ message }) => message));
      } else {
        await invokeUntilDone(part, trace, takenMs);
      }
    }
  }

  /** A throttled batch is tried again until its messages show themselves anyway. */
  async function invokeUntilDone(part: readonly Taken[], trace: Trace, takenMs: number): Promise<void> {
    const endMs = takenMs + (await queueAccess.visibilitySeconds(arn)) * 1000;
    for (let tries = 0; !signal.aborted; tries += 1) {
      const outcome = await invokeOnce(part, trace);
      if (outcome !== undefined && outcome.kind !== 'throttled') return settle(part, outcome);
      limit = Math.max(1, limit / 2);
      const pauseMs = Math.min(PAUSE_MS.first * 2 ** tries, PAUSE_MS.most);
      if (clock.epochMs() + pauseMs >= endMs) return;
      await sleep(clock, pauseMs, signal);
    }
    await giveBack({ messages: part.map(({ message }) => message), takenMs });
  }

  async function invokeOnce(part: readonly Taken[], trace: Trace): Promise<Outcome | undefined> {
    const reference = parseFunctionReference(mapping.functionArn);
    try {
      const version = options.settings.resolve(scope, mapping.functionName as never, reference?.qualifier);
      return await options.invoke(version, {
        requestId: randomUUID() as RequestId,
        payload: renderSqsEvent(part.map(({ record }) => record)),
        invokedFunctionArn: mapping.functionArn,
        traceId: trace.forFunction,
        clientContext: undefined,
        cognitoIdentity: undefined,
        wantsLogTail: false,
      });
    } catch (failure) {
      if (!signal.aborted) log.warn({ err: failure, ...aboutThis }, 'a batch could not be run, and waits');
      return undefined;
    }
  }

  async function settle(part: readonly Taken[], outcome: Exclude<Outcome, { kind: 'throttled' }>): Promise<void> {
    if (outcome.kind === 'failed') {
      limit = Math.max(1, limit / 2);
      return;
    }
    limit = Math.min(settings.concurrency, limit + 1);
    const ids = new Set(part.map(({ message }) => message.messageId));
    const failed = settings.reportsFailures ? parseBatchFailures(outcome.payload, ids) : new Set<string>();
    if (failed === 'all') return;
    await remove(part.flatMap(({ message }) => (failed.has(message.messageId) ? [] : [message])));
  }

  async function remove(messages: readonly SqsMessage[]): Promise<void> {
    if (messages.length === 0) return;
    await queueAccess.remove(
      arn,
      messages.map(({ receiptHandle }) => receiptHandle),
    );
  }

  async function giveBack({ messages }: Batch): Promise<void> {
    if (messages.length === 0) return;
    await queueAccess.release(
      arn,
      messages.map(({ receiptHandle }) => receiptHandle),
    );
  }

  /** Messages of a loop go to the queue's dead-letter queue, or nowhere. */
  async function giveUp(messages: readonly SqsMessage[]): Promise<void> {
    log.warn({ ...aboutThis, messages: messages.length }, 'messages of a recursive loop are not delivered');
    const deadLetterArn = await queueAccess.deadLetterArn(arn);
    for (const { body, attributes } of messages) {
      if (deadLetterArn !== undefined) await queueAccess.send(deadLetterArn, { body, attributes, traceId: undefined });
    }
    await remove(messages);
  }

  /** The trace of the message whose chain is the longest. */
  function traceOf(messages: readonly SqsMessage[]): Trace {
    const functionArn = renderFunctionArn(scope, mapping.functionName);
    const all = messages.map(({ systemAttributes }) => traces.start(systemAttributes.AWSTraceHeader, functionArn));
    return all.reduce((most, trace) => (trace.earlierRuns > most.earlierRuns ? trace : most));
  }

  const polling = poll();
  return {
    async close() {
      stopping.abort();
      ended();
      await polling;
      await Promise.all(running);
    },
  };
}

type Taken = { readonly message: SqsMessage; readonly record: ReturnType<typeof renderRecord> };

/** What JSON adds to each message, about. */
const MESSAGE_OVERHEAD = 1024;

function bytesOf(messages: readonly SqsMessage[]): number {
  return messages.reduce((sum, { body }) => sum + Buffer.byteLength(JSON.stringify(body)) + MESSAGE_OVERHEAD, 0);
}

/** Each message once: one whose visibility time-out is shorter than the window is taken again within it. */
function lastTaken(messages: readonly SqsMessage[]): SqsMessage[] {
  return [...new Map(messages.map((message) => [message.messageId, message])).values()];
}

/** Events that are not too large for an invocation. */
function* partsOf(records: readonly Taken[]): Generator<readonly Taken[]> {
  let part: Taken[] = [];
  let bytes = 0;
  for (const taken of records) {
    const size = Buffer.byteLength(JSON.stringify(taken.record)) + 1;
    if (part.length > 0 && bytes + size > BATCH_BYTES - MESSAGE_OVERHEAD) {
      yield part;
      part = [];
      bytes = 0;
    }
    part.push(taken);
    bytes += size;
  }
  if (part.length > 0) yield part;
}

function settingsOf({ members }: EventSourceMapping): {
  readonly batchSize: number;
  readonly windowMs: number;
  readonly concurrency: number;
  readonly reportsFailures: boolean;
  readonly filter: RecordFilter;
} {
  const { BatchSize, MaximumBatchingWindowInSeconds, FunctionResponseTypes, ScalingConfig, FilterCriteria } =
    members as {
      readonly BatchSize?: number;
      readonly MaximumBatchingWindowInSeconds?: number;
      readonly FunctionResponseTypes?: readonly string[];
      readonly ScalingConfig?: { readonly MaximumConcurrency?: number };
      readonly FilterCriteria?: { readonly Filters?: readonly { readonly Pattern?: string }[] };
    };
  const patterns = (FilterCriteria?.Filters ?? []).flatMap(({ Pattern }) => (Pattern === undefined ? [] : [Pattern]));
  return {
    batchSize: BatchSize ?? 10,
    windowMs: (MaximumBatchingWindowInSeconds ?? 0) * 1000,
    concurrency: ScalingConfig?.MaximumConcurrency ?? USUAL_CONCURRENCY,
    reportsFailures: FunctionResponseTypes?.includes('ReportBatchItemFailures') ?? false,
    filter: createRecordFilter(patterns),
  };
}
