/**
 * Limits the memory for the request bodies of all clients combined. A body of more than 16 KiB needs room before it is
 * read, and keeps it until its response is sent. Without room it waits in the client's socket. AWS has no such limit for one
 * client, but many clients with unfinished uploads of 70 MB each would end the service.
 */
import type { Cancel, Clock } from '../clock.ts';
import type { HttpRequest, HttpResponse } from './exchange.ts';
import type { AnyRequest } from './plain-connection.ts';

export type BodyBudgetLimits = {
  /** For all bodies of at most 1 MiB. They have room of their own, so that large uploads never hold them up. */
  readonly smallBytes: number;
  /** For all larger bodies. At least the largest one that a service accepts. */
  readonly largeBytes: number;
  /** Requests that may wait for room. Each holds up to 128 KiB in the buffers of its connection. */
  readonly maxWaiting: number;
};

const DEFAULT_LIMITS: BodyBudgetLimits = {
  smallBytes: 64 * 1024 * 1024,
  largeBytes: 192 * 1024 * 1024,
  maxWaiting: 1000,
};

/** Bodies up to this size fit into the buffers that every connection has anyway. */
const UNCOUNTED_BYTES = 16 * 1024;
const SMALL_BYTES = 1024 * 1024;
/** Room for a body of unknown size grows by this much. */
const STEP_BYTES = 1024 * 1024;
/** How long a request waits for room at most, in milliseconds. */
const MAX_WAIT_MS = 30_000;
/** While requests wait, each interval of this many milliseconds is judged. */
const TICK_MS = 1000;
/** Uploads that send less in an interval are slow. Two slow intervals in a row end an upload. */
const MIN_BYTES_IN_TICK = 64 * 1024;
const MAX_SLOW_TICKS = 2;

/** The memory for request bodies of one service. */
export class BodyBudget {
  readonly #pools: { readonly small: Pool; readonly large: Pool };
  readonly #maxWaiting: number;
  readonly #clock: Clock;
  #cancelTick: Cancel | undefined;

  constructor(clock: Clock, limits = DEFAULT_LIMITS) {
    this.#clock = clock;
    this.#pools = { small: new Pool(limits.smallBytes), large: new Pool(limits.largeBytes) };
    this.#maxWaiting = limits.maxWaiting;
  }

  /** Whether a body of this size needs room. */
  counts(bytes = 0): boolean {
    return bytes > UNCOUNTED_BYTES;
  }

  /** Called with each request, before anything reads its body. */
  expect(request: HttpRequest, response: HttpResponse): void {
    const { headers } = request;
    if (headers['transfer-encoding'] === undefined && !this.counts(Number(headers['content-length']))) return;
    const room = new BodyRoom(this);
    rooms.set(request, room);
    response.once('close', () => room.release());
  }

  /** Room that is taken and room in total, in bytes, and the number of requests that wait for some. */
  usage(): { readonly used: number; readonly limit: number; readonly waiting: number } {
    const { small, large } = this.#pools;
    return { used: small.used + large.used, limit: small.limit + large.limit, waiting: this.#waiting };
  }

  /** The pool for a body of this size. */
  poolFor(bytes: number): Pool {
    return bytes > SMALL_BYTES ? this.#pools.large : this.#pools.small;
  }

  /** Calls `settle` when there is room in the pool, or with false when the request has waited too long. */
  wait(pool: Pool, bytes: number, settle: (isGranted: boolean) => void): Cancel {
    if (this.#waiting >= this.#maxWaiting) {
      settle(false);
      return () => undefined;
    }
    const cancel = pool.enqueue(bytes, settle);
    this.#startTicking();
    return cancel;
  }

  get #waiting(): number {
    return this.#pools.small.waiting + this.#pools.large.waiting;
  }

  #startTicking(): void {
    if (this.#cancelTick !== undefined) return;
    const pools = [this.#pools.small, this.#pools.large];
    for (const pool of pools) pool.startMeasuring();
    const tick = () => {
      for (const pool of pools) pool.tick();
      this.#cancelTick = this.#waiting > 0 ? this.#clock.after(TICK_MS, tick) : undefined;
    };
    this.#cancelTick = this.#clock.after(TICK_MS, tick);
  }
}

const rooms = new WeakMap<AnyRequest, BodyRoom>();

/** The room of a request's body; undefined if it needs none. */
export function roomOf(request: AnyRequest): BodyRoom | undefined {
  return rooms.get(request);
}

/** The room of one body. */
export class BodyRoom {
  readonly #budget: BodyBudget;
  #pool: Pool | undefined;
  #bytes = 0;
  #isReleased = false;
  #cancelWait: Cancel | undefined;
  /** What arrived in the current interval. */
  received = 0;
  slowTicks = 0;
  /** Ends a slow upload. Forgotten with its end: a kept connection holds its last request, and this holds the body. */
  onSlow: (() => void) | undefined;

  constructor(budget: BodyBudget) {
    this.#budget = budget;
  }

  /**
   * Takes room for `bytes` in total. Returns true if there is some now, or calls `settle` later. Nothing may be read
   * meanwhile.
   */
  reserve(bytes: number, settle: (isGranted: boolean) => void): boolean {
    if (bytes <= this.#bytes) return true;
    const pool = this.#budget.poolFor(bytes);
    // A body that becomes large leaves the room for small ones when it has its new room.
    const more = pool === this.#pool ? bytes - this.#bytes : bytes;
    const take = () => {
      if (pool !== this.#pool) this.#pool?.release(this, this.#bytes);
      this.#pool = pool;
      this.#bytes = bytes;
      pool.startReceiving(this);
    };
    if (pool.take(more)) {
      take();
      return true;
    }
    this.#pool?.stopReceiving(this);
    this.#cancelWait = this.#budget.wait(pool, more, (isGranted) => {
      this.#cancelWait = undefined;
      if (isGranted) take();
      settle(isGranted);
    });
    return false;
  }

  /** Takes room for a body of unknown size of which `received` bytes have arrived. */
  reserveStep(received: number, settle: (isGranted: boolean) => void): boolean {
    return this.reserve(Math.ceil(received / STEP_BYTES) * STEP_BYTES, settle);
  }

  /** The body is complete. It keeps its room. */
  complete(): void {
    this.onSlow = undefined;
    this.#pool?.stopReceiving(this);
  }

  release(): void {
    if (this.#isReleased) return;
    this.#isReleased = true;
    this.onSlow = undefined;
    this.#cancelWait?.();
    this.#pool?.release(this, this.#bytes);
    this.#pool = undefined;
    this.#bytes = 0;
  }
}

type Waiter = { readonly bytes: number; readonly settle: (isGranted: boolean) => void; waitedMs: number };

/** Room for bodies of one class. Small requests are served first, so that they get through what large ones leave. */
class Pool {
  readonly limit: number;
  used = 0;
  #queue: Waiter[] = [];
  readonly #receiving = new Set<BodyRoom>();

  constructor(limit: number) {
    this.limit = limit;
  }

  get waiting(): number {
    return this.#queue.length;
  }

  take(bytes: number): boolean {
    if (this.used + bytes > this.limit) return false;
    this.used += bytes;
    return true;
  }

  release(room: BodyRoom, bytes: number): void {
    this.#receiving.delete(room);
    this.used -= bytes;
    this.#serve();
  }

  enqueue(bytes: number, settle: (isGranted: boolean) => void): Cancel {
    const waiter: Waiter = { bytes, settle, waitedMs: 0 };
    const after = this.#queue.findIndex((other) => other.bytes > bytes);
    this.#queue.splice(after < 0 ? this.#queue.length : after, 0, waiter);
    return () => {
      this.#queue = this.#queue.filter((other) => other !== waiter);
    };
  }

  startReceiving(room: BodyRoom): void {
    room.received = 0;
    room.slowTicks = 0;
    this.#receiving.add(room);
  }

  stopReceiving(room: BodyRoom): void {
    this.#receiving.delete(room);
  }

  startMeasuring(): void {
    for (const room of this.#receiving) this.startReceiving(room);
  }

  /** Ends slow uploads if requests wait, and requests that have waited too long. */
  tick(): void {
    if (this.#queue.length > 0) {
      for (const room of [...this.#receiving]) {
        room.slowTicks = room.received < MIN_BYTES_IN_TICK ? room.slowTicks + 1 : 0;
        room.received = 0;
        if (room.slowTicks >= MAX_SLOW_TICKS) room.onSlow?.();
      }
    }
    for (const waiter of this.#queue) waiter.waitedMs += TICK_MS;
    const late = this.#queue.filter(({ waitedMs }) => waitedMs >= MAX_WAIT_MS);
    this.#queue = this.#queue.filter(({ waitedMs }) => waitedMs < MAX_WAIT_MS);
    for (const { settle } of late) settle(false);
  }

  #serve(): void {
    for (;;) {
      const [first] = this.#queue;
      if (first === undefined || !this.take(first.bytes)) return;
      this.#queue.shift();
      first.settle(true);
    }
  }
}
