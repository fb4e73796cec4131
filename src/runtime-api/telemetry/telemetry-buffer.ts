/**
 * The buffer of events for one subscriber: rendered events, divided into batches by number, bytes and age. Its size is
 * limited. Events that do not fit are counted, and the count is sent as an event. It has a timer only while events are
 * waiting. `telemetry-subscriber.ts` sends the batches.
 */
import type { Cancel, Clock } from '../../clock.ts';
import type { TelemetryBuffering } from './telemetry-subscription.ts';

export type Dropped = { readonly records: number; readonly bytes: number; readonly reason: string };

export type TelemetryBufferOptions = {
  readonly buffering: TelemetryBuffering;
  readonly clock: Clock;
  /** Called when a batch is due, which `takeDue` returns. */
  readonly onDue: () => void;
  /** Renders the event about dropped events; undefined when the subscriber does not receive platform events. */
  readonly renderDropped: (dropped: Dropped) => string | undefined;
};

/** The buffer's size for output of processes and for platform events, as a multiple of the subscription's limits. */
const BACKLOG_FACTOR = 2;
const PLATFORM_BACKLOG_FACTOR = 3;

const SLOW_CONSUMER = 'Some logs were dropped because the downstream consumer is slower than the logs production rate';

export class TelemetryBuffer {
  readonly #options: TelemetryBufferOptions;
  #waiting: string[] = [];
  #bytes = 0;
  /** How many of the waiting events are due regardless of their number and age. */
  #flushed = 0;
  #cancelAge: Cancel | undefined;
  #dropped: { records: number; bytes: number; reason: string } | undefined;

  constructor(options: TelemetryBufferOptions) {
    this.#options = options;
  }

  /** Size of the waiting events. */
  get bytes(): number {
    return this.#bytes;
  }

  get isEmpty(): boolean {
    return this.#waiting.length === 0 && this.#dropped === undefined;
  }

  /** Adds an event, or counts it as dropped when the buffer is full. */
  add(event: string, category: 'platform' | 'output'): void {
    if (!this.#hasRoomFor(event, category === 'platform' ? PLATFORM_BACKLOG_FACTOR : BACKLOG_FACTOR)) {
      this.countDropped(1, Buffer.byteLength(event), SLOW_CONSUMER);
      return;
    }
    // The events were dropped before this one, so the notice comes before it.
    const notice = this.#takeNotice();
    if (notice !== undefined) this.#push(notice);
    this.#push(event);
    const { maxItems, maxBytes, timeoutMs } = this.#options.buffering;
    if (this.#waiting.length >= maxItems || this.#bytes >= maxBytes) {
      this.#options.onDue();
      return;
    }
    this.#cancelAge ??= this.#options.clock.after(timeoutMs, () => {
      this.#cancelAge = undefined;
      this.flush();
    });
  }

  /** Counts dropped events. */
  countDropped(records: number, bytes: number, reason: string): void {
    const already = this.#dropped ?? { records: 0, bytes: 0 };
    this.#dropped = { records: already.records + records, bytes: already.bytes + bytes, reason };
  }

  /** Makes all waiting events due immediately. */
  flush(): void {
    this.#flushed = this.#waiting.length;
    if (!this.isEmpty) this.#options.onDue();
  }

  /** Returns the next batch that is due, in order; undefined when there is none yet. */
  takeDue(): readonly string[] | undefined {
    const { maxItems, maxBytes, timeoutMs } = this.#options.buffering;
    const isDue = this.#flushed > 0 || this.#waiting.length >= maxItems || this.#bytes >= maxBytes;
    if (!isDue && (this.#waiting.length > 0 || this.#dropped === undefined)) return undefined;
    let count = 0;
    let bytes = 0;
    for (const event of this.#waiting) {
      const length = Buffer.byteLength(event);
      if (count === maxItems || (count > 0 && bytes + length > maxBytes)) break;
      count += 1;
      bytes += length;
    }
    const batch = this.#waiting.splice(0, count);
    this.#bytes -= bytes;
    this.#flushed = Math.max(0, this.#flushed - count);
    this.#cancelAge?.();
    this.#cancelAge = undefined;
    if (this.#waiting.length === 0) {
      const notice = this.#takeNotice();
      if (notice !== undefined) batch.push(notice);
    } else {
      this.#cancelAge = this.#options.clock.after(timeoutMs, () => {
        this.#cancelAge = undefined;
        this.flush();
      });
    }
    return batch.length > 0 ? batch : undefined;
  }

  /** Removes all events and stops the timer. */
  clear(): void {
    this.#cancelAge?.();
    this.#cancelAge = undefined;
    this.#waiting = [];
    this.#bytes = 0;
    this.#flushed = 0;
    this.#dropped = undefined;
  }

  #push(event: string): void {
    this.#waiting.push(event);
    this.#bytes += Buffer.byteLength(event);
  }

  #takeNotice(): string | undefined {
    if (this.#dropped === undefined) return undefined;
    const notice = this.#options.renderDropped(this.#dropped);
    this.#dropped = undefined;
    return notice;
  }

  #hasRoomFor(event: string, factor: number): boolean {
    const { maxItems, maxBytes } = this.#options.buffering;
    if (this.#waiting.length === 0) return true;
    return this.#waiting.length < maxItems * factor && this.#bytes + Buffer.byteLength(event) <= maxBytes * factor;
  }
}
