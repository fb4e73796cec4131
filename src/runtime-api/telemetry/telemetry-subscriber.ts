/**
 * One subscription at work: takes the events it asked for, and delivers them batch by batch, in order, over HTTP or
 * TCP. A batch that fails is sent again with growing pauses, and is counted as lost after the last attempt. Nothing is
 * sent while the environment is frozen: nobody would answer. It never holds up whoever reports an event.
 */
import type { Cancel, Clock } from '../../clock.ts';
import { send as sendRequest } from '../../http/client.ts';
import { categoryOf, type TelemetryEvent } from '../../protocol/payloads.ts';
import { type Dropped, TelemetryBuffer } from './telemetry-buffer.ts';
import { renderTelemetryEvent } from './telemetry-event.ts';
import type { Reach } from './telemetry-reach.ts';
import type { TelemetrySubscription } from './telemetry-subscription.ts';
import { createTelemetryConnection } from './telemetry-tcp.ts';

export type TelemetrySubscriberOptions = {
  readonly subscription: TelemetrySubscription;
  /** Leads to the environment's own ports: the only ones that are ever called. */
  readonly reach: Reach;
  readonly clock: Clock;
  /** Events were lost, and the subscriber is being told. */
  readonly onDropped: (dropped: Dropped) => void;
};

/** One attempt may take so long. AWS promises repetition with pauses, and no figures. */
const ATTEMPT_MS = 5000;
const ATTEMPTS = 12;
const FIRST_PAUSE_MS = 25;
const LONGEST_PAUSE_MS = 1000;
/** Nobody reads the answer; a longer one is not an answer. */
const ANSWER_BYTES = 64 * 1024;

export class TelemetrySubscriber {
  readonly subscription: TelemetrySubscription;
  readonly #clock: Clock;
  readonly #buffer: TelemetryBuffer;
  readonly #transport: Transport;
  #batch: { readonly events: readonly string[]; failures: number } | undefined;
  #attempt: { readonly controller: AbortController; cancelTimer: Cancel } | undefined;
  #cancelPause: Cancel | undefined;
  #isPaused = false;
  #isClosed = false;
  #waitingForEmpty: (() => void)[] = [];

  constructor({ subscription, reach, clock, onDropped }: TelemetrySubscriberOptions) {
    this.subscription = subscription;
    this.#clock = clock;
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

  /** Takes an event if the subscription asked for its kind. Never blocks and never throws. */
  offer(event: TelemetryEvent): void {
    const text = this.#render(event);
    if (text !== undefined) this.#buffer.add(text, categoryOf(event.type) === 'platform' ? 'platform' : 'output');
  }

  /** Counts events that were lost before there was this subscriber. */
  countDropped({ records, bytes, reason }: Dropped): void {
    this.#buffer.countDropped(records, bytes, reason);
  }

  /** Sends whatever waits; resolves when nothing does any more, or when there is no hope. */
  flush(): Promise<void> {
    this.#buffer.flush();
    if (this.#isIdle) return Promise.resolve();
    return new Promise((resolve) => this.#waitingForEmpty.push(resolve));
  }

  /** The environment is frozen: nothing is sent, and an attempt under way is not held against the subscriber. */
  pause(): void {
    this.#isPaused = true;
    this.#attempt?.cancelTimer();
    this.#cancelPause?.();
    this.#cancelPause = undefined;
  }

  /** The environment runs again: goes on at once. */
  resume(): void {
    if (!this.#isPaused) return;
    this.#isPaused = false;
    if (this.#attempt) this.#attempt.cancelTimer = this.#limit(this.#attempt.controller);
    else this.#deliver();
  }

  /** Gives up: what has not been sent is lost. Idempotent. */
  close(): void {
    this.#isClosed = true;
    this.#cancelPause?.();
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

  /** Starts the next attempt unless one is under way or must wait. */
  #deliver(): void {
    if (this.#isClosed || this.#isPaused || this.#attempt || this.#cancelPause) return;
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
    this.#transport.send(this.#batch.events, controller.signal).then(
      () => settle(undefined),
      (failure: unknown) => settle(failure ?? new Error('the batch was not taken')),
    );
  }

  #failed(failure: unknown): void {
    const batch = this.#batch;
    if (!batch) return;
    batch.failures += 1;
    if (batch.failures >= ATTEMPTS) {
      const bytes = batch.events.reduce((sum, event) => sum + Buffer.byteLength(event), 0);
      this.#buffer.countDropped(batch.events.length, bytes, `could not send events: ${(failure as Error).message}`);
      this.#batch = undefined;
    }
    // Also after a lost batch: the next one would meet the same wall.
    const pauseMs = Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** (batch.failures - 1));
    if (this.#isPaused) return;
    this.#cancelPause = this.#clock.after(pauseMs, () => {
      this.#cancelPause = undefined;
      this.#deliver();
    });
  }

  #limit(controller: AbortController): Cancel {
    return this.#isPaused ? () => undefined : this.#clock.after(ATTEMPT_MS, () => controller.abort());
  }

  #announceEmpty(): void {
    if (!this.#isIdle) return;
    const waiting = this.#waitingForEmpty;
    this.#waitingForEmpty = [];
    for (const resolve of waiting) resolve();
  }
}

/** The event that tells of a loss. */
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
  // Assigned, not resolved against the base: a path that begins with two slashes would name another host.
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
        maxResponseBytes: ANSWER_BYTES,
      });
      if (status < 200 || status > 299) throw new Error(`http request failed with status ${status}`);
    },
    close: () => undefined,
  };
}
