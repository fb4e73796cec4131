/**
 * What every attack needs: a service in a process of its own, random numbers with a recorded seed, a number of cases, and
 * the assertions that hold after any attack. Attacks are written from the specifications, not from `src/`.
 *
 * `npm test` runs a fixed number of cases with fixed seeds. `npm run attack` runs for an hour with other seeds. A failing
 * case prints its seed: `LAMELLA_ATTACK_SEED=N npx vitest run test/attacks/...` repeats it.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'vitest';
import { buildIfStale, cleanEnvironment, LAMELLA } from '../support/built-cli.ts';
import { RunningService } from '../support/running-service.ts';

/** Multiplies the number of cases. */
const SCALE = Number(process.env.LAMELLA_ATTACK_SCALE ?? 1);

export const cases = (count: number): number => Math.max(1, Math.round(count * SCALE));

/** The seed of an attack: recorded with it, unless another one is given. */
export const seedOf = (recorded: number): number => Number(process.env.LAMELLA_ATTACK_SEED ?? recorded);

export type Random = {
  /** From 0 to 1, without 1. */
  next(): number;
  /** From 0 to `limit`, without `limit`. */
  below(limit: number): number;
  pick<T>(from: readonly T[]): T;
  chance(probability: number): boolean;
  bytes(length: number): Buffer;
};

/** A small pseudorandom number generator (mulberry32). */
export function randomFrom(seed: number): Random {
  let state = seed | 0;
  const next = () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
  const below = (limit: number) => Math.floor(next() * limit);
  return {
    next,
    below,
    pick: <T>(from: readonly T[]) => from[below(from.length)] as T,
    chance: (probability) => next() < probability,
    bytes: (length) => Buffer.from(Array.from({ length }, () => below(256))),
  };
}

/** Secrets of the host, planted where a function must not find them: a file, the environment, the data directory. */
export type Secrets = { readonly file: string; readonly value: string };

/** How much slower than an idle service the attacked one may respond. Generous: the machine may be busy with tests. */
const MAX_RATIO = 1_000;
/** Growth that is not a leak: caches, and memory that V8 has not returned. */
const RSS_GROWTH_BYTES = 400 * 1024 * 1024;
/**
 * Two spare sandboxes, with at most 8 descriptors each, may be missing when the idle service is measured. Everything else
 * is returned: environments end a second after their last invocation, and the connections of the test are closed.
 */
const DESCRIPTOR_GROWTH = 2 * 8;

export class Target extends RunningService<{ url: string; close(): Promise<void> }> {
  readonly http: string;
  readonly secrets: Secrets;
  readonly #child: ChildProcess;
  readonly #log: () => string;
  #idleMs = 0;
  #before = { rss: 0, descriptors: 0 };

  constructor(
    child: ChildProcess,
    ready: { lambda: string; http: string },
    secrets: Secrets,
    log: () => string,
    close: () => Promise<void>,
  ) {
    super({ url: ready.lambda, close });
    this.http = ready.http;
    this.secrets = secrets;
    this.#child = child;
    this.#log = log;
  }

  get port(): number {
    return Number(new URL(this.url).port);
  }

  get httpPort(): number {
    return Number(new URL(this.http).port);
  }

  /** Measures the idle service. Call it once everything that the attack uses exists. */
  async measure(): Promise<void> {
    const times: number[] = [];
    for (let count = 0; count < 20; count += 1) times.push(await this.#probe());
    this.#idleMs = times.sort((a, b) => a - b)[10] ?? 1;
    this.#before = this.#usage();
  }

  /** The service responds, and not much more slowly than when it was idle. */
  async expectResponsive(): Promise<void> {
    expect(this.#child.exitCode, this.#log()).toBeNull();
    expect((await this.#probe()) / Math.max(this.#idleMs, 1)).toBeLessThan(MAX_RATIO);
  }

  /** What must hold after an attack: no failure in the log, no descriptor and no memory left behind. */
  async expectUnharmed(): Promise<void> {
    await this.expectResponsive();
    expect(this.#log()).not.toMatch(/unhandled|uncaught|TypeError|RangeError|AssertionError|ReferenceError/i);
    // Closes its idle connections, which it otherwise keeps.
    this.client.destroy();
    await expect
      .poll(() => this.#usage().descriptors - this.#before.descriptors, { timeout: 60_000, interval: 200 })
      .toBeLessThanOrEqual(DESCRIPTOR_GROWTH);
    expect(this.#usage().rss - this.#before.rss).toBeLessThan(RSS_GROWTH_BYTES);
  }

  /** The service's memory, in bytes. */
  rssBytes(): number {
    return this.#usage().rss;
  }

  /** CPU time that the service's main thread has used, in milliseconds. A busy machine does not add to it. */
  busyMs(): number {
    const { pid } = this.#child;
    const fields = readFileSync(`/proc/${pid}/task/${pid}/stat`, 'utf8')
      .replace(/^.*\) /s, '')
      .split(' ');
    // In ticks of 10 ms: fields 14 and 15 of proc(5), counted from the state.
    return (Number(fields[11]) + Number(fields[12])) * 10;
  }

  expectNoSecret(text: string): void {
    expect(text.includes(this.secrets.value)).toBe(false);
  }

  async #probe(): Promise<number> {
    const startedAt = performance.now();
    const response = await fetch(`${this.url}/2015-03-31/functions/`, { signal: AbortSignal.timeout(60_000) });
    expect(response.status).toBe(200);
    await response.arrayBuffer();
    return performance.now() - startedAt;
  }

  #usage(): { rss: number; descriptors: number } {
    const status = readFileSync(`/proc/${this.#child.pid}/status`, 'utf8');
    const rss = Number(/VmRSS:\s+(\d+)/.exec(status)?.[1]) * 1024;
    return { rss, descriptors: readdirSync(`/proc/${this.#child.pid}/fd`).length };
  }
}

/** Starts a service to attack. `runner` is put before its command line, such as `prlimit`. Close it at the end. */
export async function startTarget({
  args = [],
  runner = [],
  dataDirectory,
}: {
  args?: readonly string[];
  runner?: readonly string[];
  dataDirectory?: string;
} = {}): Promise<Target> {
  buildIfStale();
  const directory = mkdtempSync(join(tmpdir(), 'lamella-attack-'));
  const secrets = { file: join(directory, 'secret'), value: `S3CRET${Math.random().toString(36).slice(2)}X` };
  writeFileSync(secrets.file, secrets.value, { mode: 0o644 });
  const data = dataDirectory === undefined ? ['--ephemeral'] : ['--data-dir', dataDirectory];
  const command = [
    ...runner,
    process.execPath,
    LAMELLA,
    'start',
    '--port',
    '0',
    '--json',
    '--cpu',
    'unlimited',
    '--idle-seconds',
    '1',
  ];
  const [program = '', ...first] = [...command, ...data, ...args];
  const child = spawn(program, first, {
    env: cleanEnvironment({ LAMELLA_ATTACK_SECRET: secrets.value }),
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let printed = '';
  let log = '';
  child.stderr.on('data', (chunk: Buffer) => {
    log = (log + chunk.toString()).slice(-1_000_000);
  });
  const ended = new Promise<void>((settle) => child.once('close', () => settle()));
  await Promise.race([
    ended,
    new Promise<void>((settle) => {
      child.stdout.on('data', (chunk: Buffer) => {
        printed += chunk;
        if (printed.includes('\n')) settle();
      });
    }),
  ]);
  if (!printed.includes('\n')) throw new Error(`the service did not start: ${log}`);
  const close = async () => {
    child.kill('SIGTERM');
    await ended;
    rmSync(directory, { recursive: true, force: true });
  };
  return new Target(child, JSON.parse(printed) as { lambda: string; http: string }, secrets, () => log, close);
}
