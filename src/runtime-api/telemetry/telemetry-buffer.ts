/**
 * What waits to be sent to one subscriber: rendered events, cut into batches by number, bytes and age. It holds a
 * bounded amount; what does not fit is counted, and the count goes out as an event of its own. It sends nothing
 * (`telemetry-subscriber.ts`), and has a timer only while something waits.
 */
import type { Cancel, Clock } from '../../clock.ts';
import type { TelemetryBuffering } from './telemetry-subscription.ts';

export type Dropped = { readonly records: number; readonly bytes: number; readonly reason: string };

export type TelemetryBufferOptions = {
  readonly buffering: TelemetryBuffering;
  readonly clock: Clock;
  /** A batch is due: `takeDue` gives it. */
  readonly onDue: () => void;
  /** Renders the notice of a loss; undefined when this subscriber is not told of such things. */
  readonly renderDropped: (dropped: Dropped) => string | undefined;
};

/** Output of processes may wait up to so many times the subscription's own limits; the platform's events up to more. */
const BACKLOG_FACTOR = 2;
const PLATFORM_BACKLOG_FACTOR = 3;

const SLOW_CONSUMER = 'Some logs were dropped because the downstream consumer is slower than the logs production rate';

export class TelemetryBuffer {
  readonly #options: TelemetryBufferOptions;
  #waiting: string[] = [];
  #bytes = 0;
  /** How many of those waiting are due whatever their number and age. */
  #flushed = 0;
  #cancelAge: Cancel | undefined;
  #dropped: { records: number; bytes: number; reason: string } | undefined;

  constructor(options: TelemetryBufferOptions) {
    this.#options = options;
  }

  get isEmpty(): boolean {
    return this.#waiting.length === 0 && this.#dropped === undefined;
  }

  /** Takes an event, or counts it as lost when too much waits already. */
  add(event: string, category: 'platform' | 'output'): void {
    if (!this.#hasRoomFor(event, category === 'platform' ? PLATFORM_BACKLOG_FACTOR : BACKLOG_FACTOR)) {
      this.countDropped(1, Buffer.byteLength(event), SLOW_CONSUMER);
      return;
    }
    // The loss came before this event, and is told before it.
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

  /** Counts events that are lost for good. */
  countDropped(records: number, bytes: number, reason: string): void {
    const already = this.#dropped ?? { records: 0, bytes: 0 };
    this.#dropped = { records: already.records + records, bytes: already.bytes + bytes, reason };
  }

  /** Makes everything that waits due at once. */
  flush(): void {
    this.#flushed = this.#waiting.length;
    if (!this.isEmpty) this.#options.onDue();
  }

  /** The next batch that is due, in order; undefined when there is none yet. */
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

  /** Forgets what waits, and stops its timer. */
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
