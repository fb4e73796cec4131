/**
 * Delivers the events of one subscription batch by batch, in order, over HTTP or TCP. A batch that fails is retried with
 * increasing delays, and counted as dropped after the last attempt. Nothing is sent while the environment is frozen,
 * because its processes could not respond. Never blocks the publisher of an event.
 */
import type { Cancel, Clock } from '../../clock.ts';
import type { Containment } from '../../containment.ts';
import { send as sendRequest } from '../../http/client.ts';
import { categoryOf, type TelemetryEvent } from '../../protocol/payloads.ts';
import { type Dropped, TelemetryBuffer } from './telemetry-buffer.ts';
import { renderTelemetryEvent } from './telemetry-event.ts';
import type { Reach } from './telemetry-reach.ts';
import type { TelemetrySubscription } from './telemetry-subscription.ts';
import { createTelemetryConnection } from './telemetry-tcp.ts';

export type TelemetrySubscriberOptions = {
  readonly subscription: TelemetrySubscription;
  /** Connects to the environment's ports, which are the only possible destinations. */
  readonly reach: Reach;
  readonly clock: Clock;
  readonly containment?: Containment | undefined;
  /** Called when events have been dropped and the subscriber is about to be notified. */
  readonly onDropped: (dropped: Dropped) => void;
};

/** Timeout of one attempt. AWS documents retries with delays, but no figures. */
const ATTEMPT_TIMEOUT_MS = 5000;
const MAX_ATTEMPTS = 12;
const FIRST_DELAY_MS = 25;
const MAX_DELAY_MS = 1000;
/** The body of a subscriber's response is ignored, and may not be longer. */
const MAX_RESPONSE_BYTES = 64 * 1024;

export class TelemetrySubscriber {
  readonly subscription: TelemetrySubscription;
  readonly #clock: Clock;
  readonly #containment: Containment | undefined;
  readonly #buffer: TelemetryBuffer;
  readonly #transport: Transport;
  #batch: { readonly events: readonly string[]; failures: number } | undefined;
  #attempt: { readonly controller: AbortController; cancelTimer: Cancel } | undefined;
  #cancelRetry: Cancel | undefined;
  #isPaused = false;
  #isClosed = false;
  #waitingForEmpty: (() => void)[] = [];

  constructor({ subscription, reach, clock, containment, onDropped }: TelemetrySubscriberOptions) {
    this.subscription = subscription;
    this.#clock = clock;
    this.#containment = containment;
    this.#transport = createTransport(subscription, reach);
    this.#buffer = new TelemetryBuffer({
      buffering: subscription.buffering,
      clock,
      onDue: () => this.#deliver(),
      renderDropped: (dropped) => {
        onDropped(dropped);
        return this.#render(droppedEvent(dropped, clock.epochMs()));
      },
    });
  }

  /** Size of the events that wait to be sent, in bytes. */
  get bufferedBytes(): number {
    return this.#buffer.bytes;
  }

  /** Accepts an event if the subscription includes its category. Never blocks and never throws. */
  offer(event: TelemetryEvent): void {
    const text = this.#render(event);
    if (text !== undefined) this.#buffer.add(text, categoryOf(event.type) === 'platform' ? 'platform' : 'output');
  }

  /** Counts events that were dropped before this subscription. */
  countDropped({ records, bytes, reason }: Dropped): void {
    this.#buffer.countDropped(records, bytes, reason);
  }

  /** Sends all waiting events. Resolves when they have been sent or dropped, or the subscription is closed. */
  flush(): Promise<void> {
    this.#buffer.flush();
    if (this.#isIdle) return Promise.resolve();
    return new Promise((resolve) => this.#waitingForEmpty.push(resolve));
  }

  /** Stops sending, when the environment is frozen. The time does not count for an attempt in progress. */
  pause(): void {
    this.#isPaused = true;
    this.#attempt?.cancelTimer();
    this.#cancelRetry?.();
    this.#cancelRetry = undefined;
  }

  /** Continues immediately, when the environment runs again. */
  resume(): void {
    if (!this.#isPaused) return;
    this.#isPaused = false;
    if (this.#attempt) this.#attempt.cancelTimer = this.#limit(this.#attempt.controller);
    else this.#deliver();
  }

  /** Drops all events that have not been sent. Idempotent. */
  close(): void {
    this.#isClosed = true;
    this.#cancelRetry?.();
    this.#attempt?.cancelTimer();
    this.#attempt?.controller.abort();
    this.#buffer.clear();
    this.#batch = undefined;
    this.#transport.close();
    this.#announceEmpty();
  }

  get #isIdle(): boolean {
    return this.#isClosed || (this.#batch === undefined && this.#buffer.isEmpty);
  }

  #render(event: TelemetryEvent): string | undefined {
    const { types, schemaVersion } = this.subscription;
    return types.includes(categoryOf(event.type)) ? renderTelemetryEvent(event, schemaVersion) : undefined;
  }

  /** Starts the next attempt, unless one is in progress or delayed. */
  #deliver(): void {
    if (this.#isClosed || this.#isPaused || this.#attempt || this.#cancelRetry) return;
    if (this.#batch === undefined) {
      const events = this.#buffer.takeDue();
      if (events === undefined) {
        this.#announceEmpty();
        return;
      }
      this.#batch = { events, failures: 0 };
    }
    const controller = new AbortController();
    const attempt = { controller, cancelTimer: this.#limit(controller) };
    this.#attempt = attempt;
    const settle = (failure: unknown) => {
      attempt.cancelTimer();
      this.#attempt = undefined;
      if (this.#isClosed) return;
      if (failure === undefined) this.#batch = undefined;
      else this.#failed(failure);
      this.#deliver();
    };
    const settled = this.#transport.send(this.#batch.events, controller.signal).then(
      () => settle(undefined),
      (failure: unknown) => settle(failure ?? new Error('the batch was not accepted')),
    );
    this.#containment?.watch('socket', settled);
  }

  #failed(failure: unknown): void {
    const batch = this.#batch;
    if (!batch) return;
    batch.failures += 1;
    if (batch.failures >= MAX_ATTEMPTS) {
      const bytes = batch.events.reduce((sum, event) => sum + Buffer.byteLength(event), 0);
      this.#buffer.countDropped(batch.events.length, bytes, `could not send events: ${(failure as Error).message}`);
      this.#batch = undefined;
    }
    // Also after a dropped batch, because the next one would probably fail, too.
    const delayMs = Math.min(MAX_DELAY_MS, FIRST_DELAY_MS * 2 ** (batch.failures - 1));
    if (this.#isPaused) return;
    this.#cancelRetry = this.#clock.after(delayMs, () => {
      this.#cancelRetry = undefined;
      this.#deliver();
    });
  }

  #limit(controller: AbortController): Cancel {
    return this.#isPaused ? () => undefined : this.#clock.after(ATTEMPT_TIMEOUT_MS, () => controller.abort());
  }

  #announceEmpty(): void {
    if (!this.#isIdle) return;
    const waiting = this.#waitingForEmpty;
    this.#waitingForEmpty = [];
    for (const resolve of waiting) resolve();
  }
}

/** Creates the event about dropped events. */
export function droppedEvent({ records, bytes, reason }: Dropped, epochMs: number): TelemetryEvent {
  return {
    type: 'platform.logsDropped',
    epochMs,
    record: { droppedBytes: bytes, droppedRecords: records, reason },
  };
}

type Transport = { send(events: readonly string[], signal: AbortSignal): Promise<void>; close(): void };

function createTransport({ destination }: TelemetrySubscription, reach: Reach): Transport {
  const connect = () => reach(destination.port);
  if (destination.protocol === 'TCP') {
    const connection = createTelemetryConnection(connect);
    return {
      send: (events, signal) => connection.send(`${events.join('\n')}\n`, signal),
      close: () => connection.close(),
    };
  }
  const { method, authority, path, query } = destination;
  const url = new URL(`http://${authority}`);
  // Assigned, not resolved against the base: a path that starts with two slashes would be another host.
  url.pathname = path;
  url.search = query;
  return {
    async send(events, signal) {
      const { status } = await sendRequest({
        method,
        url,
        headers: { host: authority, 'content-type': 'application/json' },
        body: Buffer.from(`[${events.join(',')}]`),
        signal,
        connect,
        maxResponseBytes: MAX_RESPONSE_BYTES,
      });
      if (status < 200 || status > 299) throw new Error(`http request failed with status ${status}`);
    },
    close: () => undefined,
  };
}
