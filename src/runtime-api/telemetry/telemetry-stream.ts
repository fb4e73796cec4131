/**
 * The telemetry of one environment: distributes published events to the subscriptions. While the environment initializes,
 * events are kept for extensions that subscribe later. Then subscribing ends, and without a subscriber no event is kept
 * or rendered and no timer runs. Subscriptions outlive a reset of the environment: AWS reports an extension that
 * subscribes again as `Already subscribed`.
 */
import type { Clock } from '../../clock.ts';
import type { Containment } from '../../containment.ts';
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

/** How much is kept for later subscribers: no more than the smallest buffer of a subscription. */
const HISTORY_ITEMS = QUOTAS.telemetryItems.min;
const HISTORY_BYTES = QUOTAS.telemetryBytes.min;

export class TelemetryStream {
  readonly #clock: Clock;
  readonly #containment: Containment | undefined;
  readonly #subscribers = new Map<string, TelemetrySubscriber>();
  #isOpen = true;
  #isPaused = false;
  #history: TelemetryEvent[] = [];
  #historyBytes = 0;
  #historyDropped = { records: 0, bytes: 0 };
  #onDropped: (event: TelemetryEvent & { readonly type: 'platform.logsDropped' }) => void = () => undefined;

  /** `containment` gets what goes wrong while events are delivered. Without it, that would end the process. */
  constructor({ clock, containment }: { readonly clock: Clock; readonly containment?: Containment | undefined }) {
    this.#clock = clock;
    this.#containment = containment;
  }

  /** Whether there are subscribers, or may still be. If not, do not create events. */
  get isWatched(): boolean {
    return this.#isOpen || this.#subscribers.size > 0;
  }

  /** Size of the events that wait for subscribers, in bytes. */
  get bufferedBytes(): number {
    let bytes = this.#historyBytes;
    for (const subscriber of this.#subscribers.values()) bytes += subscriber.bufferedBytes;
    return bytes;
  }

  /** Called when events for a subscriber have been dropped. */
  set onDropped(listener: (event: TelemetryEvent & { readonly type: 'platform.logsDropped' }) => void) {
    this.#onDropped = listener;
  }

  /** Passes an event to all subscriptions to its category. Never blocks and never throws. */
  publish(event: TelemetryEvent): void {
    if (this.#isOpen) this.#keep(event);
    for (const subscriber of this.#subscribers.values()) subscriber.offer(event);
  }

  /**
   * Subscribes an extension, passes it the events so far, and publishes an event about the subscription. `reach` connects
   * to the environment's ports.
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

  /** Allows subscriptions, when the environment initializes again. */
  open(): void {
    this.#isOpen = true;
  }

  /** Ends subscribing, when the environment has initialized, and the subscriptions of extensions that are not registered. */
  closeSubscriptions(registered: ReadonlySet<string>): void {
    this.#isOpen = false;
    this.#history = [];
    this.#historyBytes = 0;
    this.#historyDropped = { records: 0, bytes: 0 };
    for (const [name, subscriber] of this.#subscribers) {
      if (registered.has(name)) continue;
      subscriber.close();
      this.#subscribers.delete(name);
    }
  }

  /** Pauses deliveries, when the environment is frozen. */
  pause(): void {
    this.#isPaused = true;
    for (const subscriber of this.#subscribers.values()) subscriber.pause();
  }

  /** Resumes deliveries, when the environment runs again. */
  resume(): void {
    this.#isPaused = false;
    for (const subscriber of this.#subscribers.values()) subscriber.resume();
  }

  /** Sends all waiting events. Resolves when they have been sent, or after `timeoutMs`. Undefined without subscribers. */
  flush(timeoutMs: number): Promise<void> | undefined {
    if (this.#subscribers.size === 0) return undefined;
    const flushed = Promise.all([...this.#subscribers.values()].map((subscriber) => subscriber.flush()));
    return new Promise((resolve) => {
      const cancel = this.#clock.after(timeoutMs, resolve);
      void flushed.then(() => {
        cancel();
        resolve();
      });
    });
  }

  /** Ends all subscriptions. Waiting events are lost. Idempotent. */
  close(): void {
    this.closeSubscriptions(new Set());
  }

  #start(subscription: TelemetrySubscription, reach: Reach): TelemetrySubscriber {
    const subscriber = new TelemetrySubscriber({
      subscription,
      reach,
      clock: this.#clock,
      containment: this.#containment,
      onDropped: (dropped) => this.#reportDropped(dropped),
    });
    if (this.#isPaused) subscriber.pause();
    for (const event of this.#history) subscriber.offer(event);
    if (this.#historyDropped.records > 0) {
      subscriber.countDropped({
        ...this.#historyDropped,
        reason: 'More events were written during initialization than are kept',
      });
    }
    return subscriber;
  }

  #reportDropped(dropped: Dropped): void {
    const event = droppedEvent(dropped, this.#clock.epochMs());
    if (event.type === 'platform.logsDropped') this.#onDropped(event);
  }

  #keep(event: TelemetryEvent): void {
    const isOutput = categoryOf(event.type) !== 'platform';
    const bytes = isOutput ? Buffer.byteLength(event.record as string) : 0;
    if (isOutput && (this.#history.length >= HISTORY_ITEMS || this.#historyBytes + bytes > HISTORY_BYTES)) {
      this.#historyDropped.records += 1;
      this.#historyDropped.bytes += bytes;
      return;
    }
    this.#history.push(event);
    this.#historyBytes += bytes;
  }
}
