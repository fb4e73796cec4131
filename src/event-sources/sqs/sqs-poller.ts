/**
 * Polls a queue for an event source mapping: receives batches of messages, invokes the function, and removes the
 * messages that it processed. Other messages become visible again after the queue's visibility timeout, so a poller
 * that dies loses nothing. Pollers back off by running fewer batches at the same time, as Lambda's do.
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
import type { EventSourceMapping } from '../mapping-rules.ts';
import { type Batch, type BatchItem, collectBatch, splitBatch } from './sqs-batch.ts';
import { parseBatchFailures, renderRecord, renderSqsEvent } from './sqs-event.ts';
import { sqsMappingSettingsOf } from './sqs-mapping-settings.ts';

export type PollerOptions = {
  readonly queueAccess: QueueAccess;
  readonly settings: Pick<FunctionSettings, 'resolve' | 'recursion'>;
  readonly invoke: (version: FunctionVersion, invocation: Invocation) => Promise<Outcome>;
  readonly clock: Clock;
  readonly log: Log;
};

export type Poller = {
  /** Stops receiving. Resolves when the running batches have ended. */
  close(): Promise<void>;
};

/** Delay after a failed poll, and between the attempts of a throttled batch. */
const BACKOFF_MS = { first: 1000, max: 30_000 };

export function startSqsPoller(scope: Scope, mapping: EventSourceMapping, options: PollerOptions): Poller {
  const { queueAccess, clock, log } = options;
  const arn = mapping.eventSourceArn ?? '';
  const settings = sqsMappingSettingsOf(mapping);
  const stopping = new AbortController();
  const { signal } = stopping;
  const traces = createTraces(clock);
  const running = new Set<Promise<void>>();
  let limit = settings.concurrency;
  let onBatchEnd = () => {};

  const isFifo = arn.endsWith('.fifo');

  const context = { mapping: mapping.uuid, queue: arn, function: mapping.functionArn };

  async function poll(): Promise<void> {
    let failures = 0;
    while (!signal.aborted) {
      if (running.size >= Math.floor(limit)) {
        await new Promise<void>((resolve) => {
          onBatchEnd = resolve;
        });
        continue;
      }
      try {
        const batch = await collectBatch({ ...settings, queueAccess, arn, clock, signal });
        failures = 0;
        if (signal.aborted) return await release(batch.messages);
        if (batch.messages.length > 0) start(batch);
      } catch (failure) {
        failures += 1;
        // Only the first of consecutive failures is a warning.
        log[failures === 1 ? 'warn' : 'debug']({ err: failure, ...context }, 'polling failed');
        await sleep(clock, Math.min(BACKOFF_MS.first * 2 ** failures, BACKOFF_MS.max), signal);
      }
    }
  }

  function start(batch: Batch): void {
    const run = runBatch(batch)
      .catch((failure: unknown) => log.error({ err: failure, ...context }, 'processing a batch failed'))
      .finally(() => {
        running.delete(run);
        onBatchEnd();
      });
    running.add(run);
  }

  async function runBatch({ messages, takenMs }: Batch): Promise<void> {
    const records = messages.map((message) => ({ message, record: renderRecord(message, arn, settings.windowMs > 0) }));
    const matching = records.filter(({ record }) => settings.filter(record));
    const others = records.filter(({ record }) => !settings.filter(record));
    if (others.length > 0) await remove(others.map(({ message }) => message));

    const stopped = new Set<string>();
    for (const all of splitBatch(matching)) {
      // In a FIFO queue, messages behind a failed message of their group wait for it.
      const part = all.filter(({ message }) => !stopped.has(groupOf(message)));
      if (part.length === 0) continue;
      const trace = traceOf(part.map(({ message }) => message));
      if (isRecursive(options.settings, scope, mapping.functionName, trace)) {
        await discardLoop(part.map(({ message }) => message));
      } else {
        const failed = await invokeUntilDone(part, trace, takenMs);
        if (isFifo) for (const { message } of failed) stopped.add(groupOf(message));
      }
    }
  }

  /** Retries a throttled batch until its messages become visible anyway. Returns the messages that were not processed. */
  async function invokeUntilDone(
    part: readonly BatchItem[],
    trace: Trace,
    takenMs: number,
  ): Promise<readonly BatchItem[]> {
    const endMs = takenMs + (await queueAccess.visibilitySeconds(arn)) * 1000;
    for (let attempts = 0; !signal.aborted; attempts += 1) {
      const outcome = await invokeOnce(part, trace);
      if (outcome !== undefined && outcome.kind !== 'throttled') return settle(part, outcome);
      limit = Math.max(1, limit / 2);
      const delayMs = Math.min(BACKOFF_MS.first * 2 ** attempts, BACKOFF_MS.max);
      if (clock.epochMs() + delayMs >= endMs) return part;
      await sleep(clock, delayMs, signal);
    }
    await release(part.map(({ message }) => message));
    return part;
  }

  async function invokeOnce(part: readonly BatchItem[], trace: Trace): Promise<Outcome | undefined> {
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
      if (!signal.aborted)
        log.warn({ err: failure, ...context }, 'the function could not be invoked; the batch will be retried');
      return undefined;
    }
  }

  /** Removes the messages that were processed, and returns the others. */
  async function settle(
    part: readonly BatchItem[],
    outcome: Exclude<Outcome, { kind: 'throttled' }>,
  ): Promise<readonly BatchItem[]> {
    if (outcome.kind === 'failed') {
      limit = Math.max(1, limit / 2);
      return part;
    }
    limit = Math.min(settings.concurrency, limit + 1);
    const ids = new Set(part.map(({ message }) => message.messageId));
    const failed = settings.reportsFailures ? parseBatchFailures(outcome.payload, ids) : new Set<string>();
    if (failed === 'all') return part;
    const left = part.filter(({ message }) => failed.has(message.messageId));
    const keeps = isFifo ? withLaterOfGroup(part, left) : new Set(left);
    await remove(part.flatMap((item) => (keeps.has(item) ? [] : [item.message])));
    return [...keeps];
  }

  async function remove(messages: readonly SqsMessage[]): Promise<void> {
    if (messages.length === 0) return;
    await queueAccess.remove(
      arn,
      messages.map(({ receiptHandle }) => receiptHandle),
    );
  }

  /** Makes messages visible again. */
  async function release(messages: readonly SqsMessage[]): Promise<void> {
    if (messages.length === 0) return;
    await queueAccess.release(
      arn,
      messages.map(({ receiptHandle }) => receiptHandle),
    );
  }

  /** Sends the messages of a recursive loop to the dead-letter queue, if the queue has one, and removes them. */
  async function discardLoop(messages: readonly SqsMessage[]): Promise<void> {
    log.warn({ ...context, messages: messages.length }, 'dropped messages of a recursive loop');
    const deadLetterArn = await queueAccess.deadLetterArn(arn);
    for (const { body, attributes, systemAttributes } of messages) {
      const { MessageGroupId: groupId, MessageDeduplicationId: deduplicationId } = systemAttributes;
      const message = { body, attributes, traceId: undefined, groupId, deduplicationId };
      if (deadLetterArn !== undefined) await queueAccess.send(deadLetterArn, message);
    }
    await remove(messages);
  }

  /** The trace of the message with the longest chain of invocations. */
  function traceOf(messages: readonly SqsMessage[]): Trace {
    const functionArn = renderFunctionArn(scope, mapping.functionName);
    const all = messages.map(({ systemAttributes }) => traces.start(systemAttributes.AWSTraceHeader, functionArn));
    return all.reduce((most, trace) => (trace.earlierRuns > most.earlierRuns ? trace : most));
  }

  const polling = poll();
  return {
    async close() {
      stopping.abort();
      onBatchEnd();
      await polling;
      await Promise.all(running);
    },
  };
}

function groupOf({ systemAttributes }: SqsMessage): string {
  return systemAttributes.MessageGroupId ?? '';
}

/**
 * The failed messages of a batch from a FIFO queue, with those behind them in their groups: these must be processed
 * again after the failed ones.
 * https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html#services-sqs-batchfailurereporting
 */
function withLaterOfGroup(part: readonly BatchItem[], failed: readonly BatchItem[]): ReadonlySet<BatchItem> {
  const failures = new Set(failed);
  const groups = new Set<string>();
  return new Set(
    part.filter((item) => {
      const group = groupOf(item.message);
      if (failures.has(item)) groups.add(group);
      return groups.has(group);
    }),
  );
}
