/**
 * The telemetry of one environment: what happens is published here, and every subscription gets its share. While the
 * environment initializes it remembers what was published, for extensions that subscribe later; then subscribing ends,
 * and without a subscriber nothing is kept, rendered or timed any more. Who says what happened is not its business.
 * Subscriptions outlive a reset of the environment: AWS calls an extension that comes back `Already subscribed`.
 */
import type { Clock } from '../../clock.ts';
import {
  categoryOf,
  type SubscriptionRecord,
  type TelemetryApi,
  type TelemetryEvent,
} from '../../protocol/payloads.ts';
import { QUOTAS } from '../../protocol/quotas.ts';
import type { Dropped } from './telemetry-buffer.ts';
import type { Reach } from './telemetry-reach.ts';
import { droppedEvent, TelemetrySubscriber } from './telemetry-subscriber.ts';
import type { TelemetrySubscription } from './telemetry-subscription.ts';

export type SubscribeOutcome =
  | { readonly kind: 'subscribed'; readonly state: SubscriptionRecord['state'] }
  /** The environment has initialized. */
  | { readonly kind: 'closed' }
  /** The extension uses the other API. */
  | { readonly kind: 'other-api'; readonly other: TelemetryApi };

/** How much is remembered for subscribers to come: no more than the smallest subscription can hold back. */
const HISTORY_ITEMS = QUOTAS.telemetryItems.min;
const HISTORY_BYTES = QUOTAS.telemetryBytes.min;

export class TelemetryStream {
  readonly #clock: Clock;
  readonly #subscribers = new Map<string, TelemetrySubscriber>();
  #isOpen = true;
  #isPaused = false;
  #history: TelemetryEvent[] = [];
  #historyBytes = 0;
  #historyLost = { records: 0, bytes: 0 };
  #onDropped: (event: TelemetryEvent & { readonly type: 'platform.logsDropped' }) => void = () => undefined;

  constructor({ clock }: { readonly clock: Clock }) {
    this.#clock = clock;
  }

  /** Whether somebody hears what is published, or may yet ask for it. Where it is false, build no event. */
  get isWatched(): boolean {
    return this.#isOpen || this.#subscribers.size > 0;
  }

  /** Asks to be told when a subscriber loses events. */
  set onDropped(listener: (event: TelemetryEvent & { readonly type: 'platform.logsDropped' }) => void) {
    this.#onDropped = listener;
  }

  /** Hands an event to every subscription that asked for its kind. Never blocks and never throws. */
  publish(event: TelemetryEvent): void {
    if (this.#isOpen) this.#remember(event);
    for (const subscriber of this.#subscribers.values()) subscriber.offer(event);
  }

  /**
   * Subscribes an extension, hands it what has happened so far, and publishes the event that says so. `reach`
   * leads to the environment's own ports.
   */
  subscribe(name: string, subscription: TelemetrySubscription, reach: Reach): SubscribeOutcome {
    if (!this.#isOpen) return { kind: 'closed' };
    const earlier = this.#subscribers.get(name);
    if (earlier && earlier.subscription.api !== subscription.api) {
      return { kind: 'other-api', other: earlier.subscription.api };
    }
    const isSame = earlier !== undefined && JSON.stringify(earlier.subscription) === JSON.stringify(subscription);
    if (!isSame) {
      earlier?.close();
      this.#subscribers.set(name, this.#start(subscription, reach));
    }
    const state = isSame ? 'Already subscribed' : 'Subscribed';
    const type = subscription.api === 'Telemetry' ? 'platform.telemetrySubscription' : 'platform.logsSubscription';
    this.publish({ type, epochMs: this.#clock.epochMs(), record: { name, state, types: subscription.types } });
    return { kind: 'subscribed', state };
  }

  /** The environment initializes again: extensions may subscribe. */
  open(): void {
    this.#isOpen = true;
  }

  /** The environment has initialized: nobody can subscribe any more, and those whose extension is gone end. */
  closeSubscriptions(registered: ReadonlySet<string>): void {
    this.#isOpen = false;
    this.#history = [];
    this.#historyBytes = 0;
    this.#historyLost = { records: 0, bytes: 0 };
    for (const [name, subscriber] of this.#subscribers) {
      if (registered.has(name)) continue;
      subscriber.close();
      this.#subscribers.delete(name);
    }
  }

  /** The environment is frozen: deliveries wait. */
  pause(): void {
    this.#isPaused = true;
    for (const subscriber of this.#subscribers.values()) subscriber.pause();
  }

  /** The environment runs again. */
  resume(): void {
    this.#isPaused = false;
    for (const subscriber of this.#subscribers.values()) subscriber.resume();
  }

  /** Sends what waits; resolves when all of it is out, or after `limitMs`. Undefined when nothing waits for anybody. */
  flush(limitMs: number): Promise<void> | undefined {
    if (this.#subscribers.size === 0) return undefined;
    const flushed = Promise.all([...this.#subscribers.values()].map((subscriber) => subscriber.flush()));
    return new Promise((resolve) => {
      const cancel = this.#clock.after(limitMs, resolve);
      void flushed.then(() => {
        cancel();
        resolve();
      });
    });
  }

  /** Ends every subscription; what waits is lost. Idempotent. */
  close(): void {
    this.closeSubscriptions(new Set());
  }

  #start(subscription: TelemetrySubscription, reach: Reach): TelemetrySubscriber {
    const subscriber = new TelemetrySubscriber({
      subscription,
      reach,
      clock: this.#clock,
      onDropped: (dropped) => this.#tellDropped(dropped),
    });
    if (this.#isPaused) subscriber.pause();
    for (const event of this.#history) subscriber.offer(event);
    if (this.#historyLost.records > 0) {
      subscriber.countDropped({ ...this.#historyLost, reason: 'More was written during initialization than is kept' });
    }
    return subscriber;
  }

  #tellDropped(dropped: Dropped): void {
    const event = droppedEvent(dropped, this.#clock.epochMs());
    if (event.type === 'platform.logsDropped') this.#onDropped(event);
  }

  #remember(event: TelemetryEvent): void {
    const isOutput = categoryOf(event.type) !== 'platform';
    const bytes = isOutput ? Buffer.byteLength(event.record as string) : 0;
    if (isOutput && (this.#history.length >= HISTORY_ITEMS || this.#historyBytes + bytes > HISTORY_BYTES)) {
      this.#historyLost.records += 1;
      this.#historyLost.bytes += bytes;
      return;
    }
    this.#history.push(event);
    this.#historyBytes += bytes;
  }
}
