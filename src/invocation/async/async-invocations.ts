/**
 * Asynchronous invocations: an event is stored before it is acknowledged, run later, tried again when it fails, and
 * reported where the function's settings say. One queue for each function, so that a throttled one holds up nobody.
 *
 * No event is lost to a crash: it is removed only after its end was reported. One that was running when the service
 * died runs again; that is why Lambda asks functions to be idempotent, here as there.
 * https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-error-handling.html
 */
import { type Cancel, type Clock, sleep } from '../../clock.ts';
import type { Invocation, Outcome } from '../../environment/invocation.ts';
import type { FunctionVersion } from '../../functions/function.ts';
import type { FunctionSettings } from '../../functions/settings/open-settings.ts';
import type { Log } from '../../log.ts';
import type { FunctionName, RequestId, Scope } from '../../protocol/names.ts';
import { renderFunctionArn } from '../../protocol/names.ts';
import { QUOTAS } from '../../protocol/quotas.ts';
import { ServiceError } from '../../protocol/service-errors.ts';
import type { Queues } from '../../queues/queue.ts';
import type { Counts, Message, QueueStore } from '../../queues/queue-store.ts';
import { RECURSION_MESSAGE } from '../recursion.ts';
import type { Condition, EndedEvent, SendToDestination } from './invocation-record.ts';
import { deadLetterAttributes, renderInvocationRecord } from './invocation-record.ts';

/** An event that was accepted for a function. */
export type AsyncRequest = {
  readonly scope: Scope;
  readonly name: FunctionName;
  /** As the caller gave it. */
  readonly qualifier: string | undefined;
  readonly requestId: RequestId;
  readonly payload: Buffer;
  readonly traceId: string;
  /** The chain of calls has come through the function too often: it is reported, and not run. */
  readonly isRecursive: boolean;
};

export type AsyncInvocations = {
  /** Resolves once the event is durable; it runs soon after. */
  accept(request: AsyncRequest): Promise<void>;
  /** How many events wait, run, or are held back until their next attempt. */
  pending(scope: Scope, name: string): Counts;
  /** Starts no more, and waits for what runs. What is cut off runs again at the next start. */
  close(): Promise<void>;
};

export type AsyncInvocationsOptions = {
  readonly queues: Queues;
  readonly settings: Pick<FunctionSettings, 'resolve' | 'eventInvoke' | 'concurrency'>;
  readonly invoke: (version: FunctionVersion, invocation: Invocation) => Promise<Outcome>;
  readonly sendToDestination: SendToDestination;
  readonly clock: Clock;
  readonly log: Log;
  /** Seconds before the second attempt, before the third, and so on; the last one holds for all further. */
  readonly retrySeconds: readonly number[];
  /** Events of one function that run at the same time, at most. */
  readonly concurrency: number;
};

/** What a queued event is beside its payload. */
type Details = Omit<AsyncRequest, 'scope' | 'payload'> & {
  /** Times the function ran and failed. */
  readonly attempts: number;
  /** Times it could not be run, since the last attempt. */
  readonly throttles: number;
};

type Worker = {
  readonly queue: string;
  readonly scope: Scope;
  inFlight: number;
  /** Grows with each success and halves with each throttle. */
  limit: number;
  isPumping: boolean;
  /** Something came while it was pumping. */
  hasNews: boolean;
  cancelTimer: Cancel;
};

const PREFIX = 'async/';
/** Leases end with the service, not by time: beyond the year 9999, to which the clock can be moved. */
const FOR_EVER_MS = 20_000 * 365 * 24 * 3600 * 1000;
/** After a throttle or a failure of ours. https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-error-handling.html */
const BACKOFF_MS = { first: 1000, most: 5 * 60_000 };

/** Resumes what an earlier service left, at once. */
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
      hasNews: false,
      cancelTimer: () => undefined,
    };
    workers.set(queue, worker);
    return worker;
  };

  /** Starts what may start. Called whenever that may have become more. */
  function pump(worker: Worker): void {
    worker.hasNews = true;
    if (worker.isPumping || isClosing) return;
    worker.isPumping = true;
    const pumping = pumpUntilDone(worker)
      .catch((failure: unknown) => {
        log.error({ err: failure, queue: worker.queue }, 'events could not be taken, which is tried again');
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
    let lookedMs = 0;
    while (worker.hasNews && !isClosing) {
      worker.hasNews = false;
      const count = Math.floor(worker.limit) - worker.inFlight;
      if (count <= 0) return;
      lookedMs = clock.epochMs();
      const messages = await queues.receive(worker.queue, { count, visibilityMs: FOR_EVER_MS, waitMs: 0 });
      for (const message of messages) {
        worker.inFlight += 1;
        const run = runMessage(worker, message)
          .catch((failure: unknown) => {
            // What ends after the service has is run again by the next one.
            if (!isClosing) log.error({ err: failure, queue: worker.queue }, 'an event failed here');
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
    const nextMs = queues.store.nextVisibleMs(worker.queue, lookedMs);
    // Leased ones are not waited for: their time never comes, and who runs them pumps again.
    const inMs = (nextMs ?? Number.POSITIVE_INFINITY) - clock.epochMs();
    if (inMs > FOR_EVER_MS / 2) {
      if (worker.inFlight === 0) workers.delete(worker.queue);
    } else worker.cancelTimer = clock.after(Math.max(1, inMs), () => pump(worker));
  }

  async function runMessage(worker: Worker, message: Message): Promise<void> {
    const details = JSON.parse(message.details) as Details;
    const event = { ...details, scope: worker.scope, payload: message.body };
    const verdict = await judge(worker, event, message.sentMs);
    // What ended because the service ends has not failed; its lease ends at the next start.
    if (verdict === undefined || (isClosing && verdict.kind !== 'succeeded')) return;
    if (verdict.kind === 'again') {
      const visibleMs = clock.epochMs() + verdict.inMs;
      const changed: Details = { ...details, attempts: verdict.attempts, throttles: verdict.throttles };
      await conclude((store) => store.giveBack(worker.queue, message.id, visibleMs, JSON.stringify(changed)));
      return;
    }
    if (verdict.kind !== 'dropped') await report(verdict.event, verdict.version, details, worker.scope);
    await conclude((store) => store.remove(worker.queue, message.id));
  }

  /** Writes how it went on with an event, until that is written: a disk may be full for a while. Once at the end. */
  async function conclude(change: (store: QueueStore) => unknown): Promise<void> {
    for (;;) {
      try {
        await queues.write(change);
        return;
      } catch (failure) {
        if (isClosing) throw failure;
        log.error({ err: failure }, 'what became of an event could not be written, which is tried again');
        await sleep(clock, BACKOFF_MS.first);
      }
    }
  }

  type Verdict =
    | { readonly kind: 'again'; readonly inMs: number; readonly attempts: number; readonly throttles: number }
    | { readonly kind: 'succeeded' | 'failed'; readonly event: EndedEvent; readonly version: FunctionVersion }
    | { readonly kind: 'dropped' };

  async function judge(worker: Worker, event: Details & AsyncRequest, sentMs: number): Promise<Verdict | undefined> {
    const { scope, name, qualifier, attempts, throttles } = event;
    const setting = options.settings.eventInvoke.find(scope, name, qualifier ?? '$LATEST');
    const mostAgeMs = (setting?.maximumEventAgeSeconds ?? QUOTAS.asyncEventAgeSeconds.default) * 1000;
    const isTooOld = (waitMs: number) => clock.epochMs() - sentMs + waitMs > mostAgeMs;

    const version = resolveVersion(event);
    if (version === 'gone') {
      log.warn(
        { requestId: event.requestId, function: name },
        'the function of an event is gone: the event is dropped',
      );
      return { kind: 'dropped' };
    }
    const end = (
      condition: Condition,
      ran: number,
      rest: Partial<Pick<EndedEvent, 'outcome' | 'refusal'>>,
    ): Verdict => {
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
    const later = (refusal: EndedEvent['refusal']): Verdict => {
      const waitMs = Math.min(BACKOFF_MS.first * 2 ** throttles, BACKOFF_MS.most);
      if (isTooOld(waitMs)) return end('EventAgeExceeded', Math.max(attempts, 1), { refusal });
      return { kind: 'again', inMs: waitMs, attempts, throttles: throttles + 1 };
    };

    if (event.isRecursive) return end('RecursiveInvocation', attempts, { refusal: RECURSIVE });
    if (options.settings.concurrency.reserved(scope, name) === 0) {
      return end('ZeroReservedConcurrency', attempts, { refusal: THROTTLED });
    }
    if (isTooOld(0)) return end('EventAgeExceeded', Math.max(attempts, 1), { refusal: THROTTLED });
    if (version === 'busy') return later(undefined);

    let outcome: Outcome;
    try {
      outcome = await options.invoke(version, invocationOf(event));
    } catch (failure) {
      if (isClosing) return undefined;
      log.warn({ err: failure, requestId: event.requestId, function: name }, 'an event could not be run, and waits');
      return later({ status: 500, message: failure instanceof Error ? failure.message : String(failure) });
    }
    switch (outcome.kind) {
      case 'throttled':
        worker.limit = Math.max(1, worker.limit / 2);
        return later(THROTTLED);
      case 'returned':
        worker.limit = Math.min(options.concurrency, worker.limit + 1);
        return end('Success', attempts + 1, { outcome });
      case 'failed': {
        const ran = attempts + 1;
        if (ran > (setting?.maximumRetryAttempts ?? QUOTAS.asyncRetries.default)) {
          return end('RetriesExhausted', ran, { outcome });
        }
        const waitMs = (options.retrySeconds[ran - 1] ?? options.retrySeconds.at(-1) ?? 0) * 1000;
        // Lambda looks ahead: an event that would be too old for its next attempt is given up now.
        if (isTooOld(waitMs)) return end('EventAgeExceeded', ran, { outcome });
        return { kind: 'again', inMs: waitMs, attempts: ran, throttles: 0 };
      }
    }
  }

  /** `busy` while it is being created. */
  function resolveVersion({ scope, name, qualifier }: AsyncRequest): FunctionVersion | 'gone' | 'busy' {
    try {
      return options.settings.resolve(scope, name, qualifier);
    } catch (failure) {
      if (!(failure instanceof ServiceError)) throw failure;
      return failure.code === 'ResourceNotFoundException' ? 'gone' : 'busy';
    }
  }

  /** Tells destination and dead-letter queue. What cannot be told is lost, as on AWS, where a metric counts it. */
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
          'the end of an event could not be reported to its target',
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
        // The time at which it can run: what a schedule sends while the clock is moved on does not age on the way.
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

function invocationOf({ requestId, payload, traceId, scope, name, qualifier }: AsyncRequest): Invocation {
  return {
    requestId,
    payload,
    traceId,
    invokedFunctionArn: renderFunctionArn(scope, name, qualifier),
    clientContext: undefined,
    cognitoIdentity: undefined,
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
