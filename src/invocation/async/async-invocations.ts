/**
 * Asynchronous invocations: an event is stored before it is acknowledged, run later, retried when it fails, and reported
 * to the destinations in the function's settings. Each function has its own queue, so that a throttled function does not
 * delay others.
 *
 * A crash loses no event: it is removed only after its result was reported. An event that was running when the service
 * crashed runs again, so functions have to be idempotent, as on AWS.
 * https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-error-handling.html
 */
import { type Cancel, type Clock, sleep } from '../../clock.ts';
import type { Invocation, Outcome } from '../../environment/invocation.ts';
import type { FunctionVersion } from '../../functions/function.ts';
import type { FunctionSettings } from '../../functions/settings/open-settings.ts';
import type { Log } from '../../log.ts';
import { renderFunctionArn } from '../../protocol/arn.ts';
import type { FunctionName, RequestId, Scope } from '../../protocol/names.ts';
import { QUOTAS } from '../../protocol/quotas.ts';
import { ServiceError } from '../../protocol/service-errors.ts';
import type { Queues } from '../../queues/queue.ts';
import type { Counts, Message, QueueStore } from '../../queues/queue-store.ts';
import { RECURSION_MESSAGE } from '../recursion.ts';
import type { Condition, EndedEvent, SendToDestination } from './invocation-record.ts';
import { deadLetterAttributes, renderInvocationRecord } from './invocation-record.ts';

/** An event to accept for a function. */
export type AsyncRequest = {
  readonly scope: Scope;
  readonly name: FunctionName;
  /** As the caller gave it. */
  readonly qualifier: string | undefined;
  readonly requestId: RequestId;
  readonly payload: Buffer;
  readonly traceId: string;
  /** For a function with tenant isolation. */
  readonly tenantId?: string | undefined;
  /** The chain of calls has come through the function too often: the event is reported as failed and not run. */
  readonly isRecursive: boolean;
};

export type AsyncInvocations = {
  /** Resolves once the event is durable; it runs soon afterwards. */
  accept(request: AsyncRequest): Promise<void>;
  /** Counts the events that are waiting, running, or delayed until their next attempt. */
  pending(scope: Scope, name: string): Counts;
  /** Starts no more events and waits for the running ones. Those that are cut off run again at the next start. */
  close(): Promise<void>;
};

export type AsyncInvocationsOptions = {
  readonly queues: Queues;
  readonly settings: Pick<FunctionSettings, 'resolve' | 'eventInvoke' | 'concurrency'>;
  readonly invoke: (version: FunctionVersion, invocation: Invocation) => Promise<Outcome>;
  readonly sendToDestination: SendToDestination;
  readonly clock: Clock;
  readonly log: Log;
  /** Seconds before the second attempt, the third, and so on. The last value applies to all later attempts. */
  readonly retrySeconds: readonly number[];
  /** Maximum number of events of one function that run at the same time. */
  readonly concurrency: number;
};

/** A queued event without its payload. */
type Details = Omit<AsyncRequest, 'scope' | 'payload'> & {
  /** How often the function ran and failed. */
  readonly attempts: number;
  /** How often the event could not be run since the last attempt. */
  readonly throttles: number;
};

type Worker = {
  readonly queue: string;
  readonly scope: Scope;
  inFlight: number;
  /** How many events may run at once: grows with each success and halves with each throttle. */
  limit: number;
  isPumping: boolean;
  /** Set by `pump`, also while the worker is pumping: look for events again. */
  isRequested: boolean;
  cancelTimer: Cancel;
};

const PREFIX = 'async/';
/** Leases end with the service, not after a time: longer than the clock can be advanced, which is to the year 9999. */
const FOREVER_MS = 20_000 * 365 * 24 * 3600 * 1000;
/** After a throttle or an internal error. https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-error-handling.html */
const BACKOFF_MS = { first: 1000, max: 5 * 60_000 };

/** Creates the queues and immediately resumes the events that an earlier service left. */
export function createAsyncInvocations(options: AsyncInvocationsOptions): AsyncInvocations {
  const { queues, clock, log } = options;
  const workers = new Map<string, Worker>();
  const running = new Set<Promise<void>>();
  let isClosing = false;

  const workerOf = (queue: string): Worker => {
    const known = workers.get(queue);
    if (known !== undefined) return known;
    const worker: Worker = {
      queue,
      scope: scopeOf(queue),
      inFlight: 0,
      limit: options.concurrency,
      isPumping: false,
      isRequested: false,
      cancelTimer: () => undefined,
    };
    workers.set(queue, worker);
    return worker;
  };

  /** Starts events up to the worker's limit. Called when events or capacity may have been added. */
  function pump(worker: Worker): void {
    worker.isRequested = true;
    if (worker.isPumping || isClosing) return;
    worker.isPumping = true;
    const pumping = pumpUntilDone(worker)
      .catch((failure: unknown) => {
        log.error({ err: failure, queue: worker.queue }, 'could not receive asynchronous events; retrying');
        worker.cancelTimer = clock.after(BACKOFF_MS.first, () => pump(worker));
      })
      .finally(() => {
        worker.isPumping = false;
        running.delete(pumping);
      });
    running.add(pumping);
  }

  async function pumpUntilDone(worker: Worker): Promise<void> {
    worker.cancelTimer();
    let receivedMs = 0;
    while (worker.isRequested && !isClosing) {
      worker.isRequested = false;
      const count = Math.floor(worker.limit) - worker.inFlight;
      if (count <= 0) return;
      receivedMs = clock.epochMs();
      const messages = await queues.receive(worker.queue, { count, visibilityMs: FOREVER_MS, waitMs: 0 });
      for (const message of messages) {
        worker.inFlight += 1;
        const run = runMessage(worker, message)
          .catch((failure: unknown) => {
            // An event that ends after the service has closed is run again at the next start.
            if (!isClosing) log.error({ err: failure, queue: worker.queue }, 'could not process an asynchronous event');
          })
          .finally(() => {
            worker.inFlight -= 1;
            running.delete(run);
            pump(worker);
          });
        running.add(run);
      }
    }
    if (isClosing) return;
    const nextMs = queues.store.nextVisibleMs(worker.queue, receivedMs);
    // Leased events need no timer: their lease never expires, and the worker is pumped again when they end.
    const delayMs = (nextMs ?? Number.POSITIVE_INFINITY) - clock.epochMs();
    if (delayMs > FOREVER_MS / 2) {
      if (worker.inFlight === 0) workers.delete(worker.queue);
    } else worker.cancelTimer = clock.after(Math.max(1, delayMs), () => pump(worker));
  }

  async function runMessage(worker: Worker, message: Message): Promise<void> {
    const details = JSON.parse(message.details) as Details;
    const event = { ...details, scope: worker.scope, payload: message.body };
    const result = await attempt(worker, event, message.sentMs);
    // An event that ended because the service is closing has not failed. Its lease ends at the next start.
    if (result === undefined || (isClosing && result.kind !== 'succeeded')) return;
    if (result.kind === 'retry') {
      const visibleMs = clock.epochMs() + result.delayMs;
      const changed: Details = { ...details, attempts: result.attempts, throttles: result.throttles };
      await write((store) => store.giveBack(worker.queue, message.id, visibleMs, JSON.stringify(changed)));
      return;
    }
    if (result.kind !== 'dropped') await report(result.event, result.version, details, worker.scope);
    await write((store) => store.remove(worker.queue, message.id));
  }

  /** Stores an event's new state. Retries until it is written, because a disk may be full for a while; once when closing. */
  async function write(change: (store: QueueStore) => unknown): Promise<void> {
    for (;;) {
      try {
        await queues.write(change);
        return;
      } catch (failure) {
        if (isClosing) throw failure;
        log.error({ err: failure }, 'could not store the state of an asynchronous event; retrying');
        await sleep(clock, BACKOFF_MS.first);
      }
    }
  }

  type AttemptResult =
    | { readonly kind: 'retry'; readonly delayMs: number; readonly attempts: number; readonly throttles: number }
    | { readonly kind: 'succeeded' | 'failed'; readonly event: EndedEvent; readonly version: FunctionVersion }
    | { readonly kind: 'dropped' };

  /** Runs an event unless it must not or cannot run. Undefined when the service is closing. */
  async function attempt(
    worker: Worker,
    event: Details & AsyncRequest,
    sentMs: number,
  ): Promise<AttemptResult | undefined> {
    const { scope, name, qualifier, attempts, throttles } = event;
    const setting = options.settings.eventInvoke.find(scope, name, qualifier ?? '$LATEST');
    const maxAgeMs = (setting?.maximumEventAgeSeconds ?? QUOTAS.asyncEventAgeSeconds.default) * 1000;
    const isTooOld = (waitMs: number) => clock.epochMs() - sentMs + waitMs > maxAgeMs;

    const version = resolveVersion(event);
    if (version === 'gone') {
      log.warn(
        { requestId: event.requestId, function: name },
        'dropped an asynchronous event: its function has been deleted',
      );
      return { kind: 'dropped' };
    }
    const end = (
      condition: Condition,
      ran: number,
      rest: Partial<Pick<EndedEvent, 'outcome' | 'refusal'>>,
    ): AttemptResult => {
      if (version === 'busy') return { kind: 'dropped' };
      const ended: EndedEvent = {
        requestId: event.requestId,
        functionArn: renderFunctionArn(scope, name, qualifier ?? '$LATEST'),
        condition,
        attempts: ran,
        payload: event.payload,
        outcome: undefined,
        refusal: undefined,
        atMs: clock.epochMs(),
        ...rest,
      };
      return { kind: condition === 'Success' ? 'succeeded' : 'failed', event: ended, version };
    };
    const retryLater = (refusal: EndedEvent['refusal']): AttemptResult => {
      const waitMs = Math.min(BACKOFF_MS.first * 2 ** throttles, BACKOFF_MS.max);
      if (isTooOld(waitMs)) return end('EventAgeExceeded', Math.max(attempts, 1), { refusal });
      return { kind: 'retry', delayMs: waitMs, attempts, throttles: throttles + 1 };
    };

    if (event.isRecursive) return end('RecursiveInvocation', attempts, { refusal: RECURSIVE });
    if (options.settings.concurrency.reserved(scope, name) === 0) {
      return end('ZeroReservedConcurrency', attempts, { refusal: THROTTLED });
    }
    if (isTooOld(0)) return end('EventAgeExceeded', Math.max(attempts, 1), { refusal: THROTTLED });
    if (version === 'busy') return retryLater(undefined);

    let outcome: Outcome;
    try {
      outcome = await options.invoke(version, invocationOf(event));
    } catch (failure) {
      if (isClosing) return undefined;
      log.warn(
        { err: failure, requestId: event.requestId, function: name },
        'could not run an asynchronous event; it will be retried',
      );
      return retryLater({ status: 500, message: failure instanceof Error ? failure.message : String(failure) });
    }
    switch (outcome.kind) {
      case 'throttled':
        worker.limit = Math.max(1, worker.limit / 2);
        return retryLater(THROTTLED);
      case 'returned':
        worker.limit = Math.min(options.concurrency, worker.limit + 1);
        return end('Success', attempts + 1, { outcome });
      case 'failed': {
        const ran = attempts + 1;
        if (ran > (setting?.maximumRetryAttempts ?? QUOTAS.asyncRetries.default)) {
          return end('RetriesExhausted', ran, { outcome });
        }
        const waitMs = (options.retrySeconds[ran - 1] ?? options.retrySeconds.at(-1) ?? 0) * 1000;
        // Like Lambda, give up now if the event would be too old for its next attempt.
        if (isTooOld(waitMs)) return end('EventAgeExceeded', ran, { outcome });
        return { kind: 'retry', delayMs: waitMs, attempts: ran, throttles: 0 };
      }
    }
  }

  /** `busy` while the function is being created (state Pending). */
  function resolveVersion({ scope, name, qualifier }: AsyncRequest): FunctionVersion | 'gone' | 'busy' {
    try {
      return options.settings.resolve(scope, name, qualifier);
    } catch (failure) {
      if (!(failure instanceof ServiceError)) throw failure;
      return failure.code === 'ResourceNotFoundException' ? 'gone' : 'busy';
    }
  }

  /** Reports to destination and dead-letter queue. A report that cannot be sent is lost; AWS counts it in a metric. */
  async function report(event: EndedEvent, version: FunctionVersion, details: Details, scope: Scope): Promise<void> {
    const { destinations } =
      options.settings.eventInvoke.find(scope, details.name, details.qualifier ?? '$LATEST') ?? {};
    const isSuccess = event.condition === 'Success';
    const destination = isSuccess ? destinations?.onSuccess : destinations?.onFailure;
    const deadLetter = isSuccess ? undefined : deadLetterTarget(version);
    const { traceId } = details;
    const records = [
      destination && { arn: destination, body: renderInvocationRecord(event), attributes: {} },
      deadLetter && { arn: deadLetter, body: event.payload.toString('utf8'), attributes: deadLetterAttributes(event) },
    ];
    for (const record of records) {
      if (!record) continue;
      await options.sendToDestination({ ...record, traceId, event }).catch((failure: unknown) => {
        log.warn(
          { err: failure, requestId: event.requestId, target: record.arn },
          'could not send the result of an asynchronous event to its destination',
        );
      });
    }
  }

  queues.store.endLeases(PREFIX, clock.epochMs());
  for (const queue of queues.store.queues(PREFIX)) pump(workerOf(queue));

  return {
    async accept({ scope, payload, ...rest }) {
      const queue = queueOf(scope, rest.name);
      const details = JSON.stringify({ ...rest, attempts: 0, throttles: 0 } satisfies Details);
      await queues.write((store) => {
        // The event's age starts here, not in the caller: while the clock is being advanced, a schedule's event must not
        // age on the way.
        const nowMs = clock.epochMs();
        return store.insert(queue, { body: payload, details, sentMs: nowMs, visibleMs: nowMs });
      });
      pump(workerOf(queue));
    },
    pending: (scope, name) => queues.store.counts(queueOf(scope, name), clock.epochMs()),
    async close() {
      isClosing = true;
      for (const worker of workers.values()) worker.cancelTimer();
      await Promise.all(running);
    },
  };
}

const THROTTLED = { status: 429, message: 'Rate Exceeded.' };
const RECURSIVE = { status: 400, message: RECURSION_MESSAGE };

function invocationOf({ requestId, payload, traceId, tenantId, scope, name, qualifier }: AsyncRequest): Invocation {
  return {
    requestId,
    payload,
    traceId,
    invokedFunctionArn: renderFunctionArn(scope, name, qualifier),
    clientContext: undefined,
    cognitoIdentity: undefined,
    tenantId,
    wantsLogTail: false,
  };
}

function deadLetterTarget({ configuration }: FunctionVersion): string | undefined {
  const { TargetArn } = (configuration.stored.DeadLetterConfig ?? {}) as { readonly TargetArn?: string };
  return TargetArn || undefined;
}

function queueOf({ region, account }: Scope, name: string): string {
  return `${PREFIX}${account}/${region}/${name}`;
}

function scopeOf(queue: string): Scope {
  const [, account = '', region = ''] = queue.split('/');
  return { account, region };
}
