/**
 * Environments by version revision: hands out the warm one that was used last, or opens a new one; ends those that stay
 * idle, whose revision is past, or whose function is gone. It never looks into an environment's life.
 */
import type { Cancel, Clock } from '../clock.ts';
import type { Environment } from '../environment/environment.ts';
import type { FunctionVersion } from '../functions/function.ts';
import type { Log } from '../log.ts';

export type PoolOptions = {
  readonly open: (version: FunctionVersion) => Promise<Environment>;
  readonly clock: Clock;
  readonly log: Log;
  /** Milliseconds after which an unused environment is ended. */
  readonly idleMs: number;
  /** Whether this is still what the function is; an environment of a past revision is not used again. */
  readonly isCurrent: (version: FunctionVersion) => boolean;
};

/**
 * How long a call waits for an environment that has answered and is about to be free, before it opens another one, in
 * milliseconds. A client that calls again at once would otherwise be faster than the runtime's next poll.
 */
const SETTLING_PATIENCE_MS = 10;

type Waiter = { readonly take: (environment: Environment) => void };

/** The environments of one revision. `idle` is used from its end, so that the last used one is first. */
type Group = {
  readonly idle: { readonly environment: Environment; readonly since: number }[];
  readonly busy: Set<Environment>;
  readonly waiters: Waiter[];
};

export class EnvironmentPool {
  readonly #options: PoolOptions;
  readonly #groups = new Map<string, Group>();
  readonly #closings = new Set<Promise<void>>();
  #cancelSweep: Cancel | undefined;
  #isClosed = false;

  constructor(options: PoolOptions) {
    this.#options = options;
  }

  /** An environment that nobody else uses until it is given back. Rejects when this machine cannot open one. */
  async acquire(version: FunctionVersion): Promise<Environment> {
    const group = this.#groupOf(version);
    const warm = group.idle.pop();
    if (warm) {
      group.busy.add(warm.environment);
      return warm.environment;
    }
    const settling = await this.#waitForSettling(group);
    if (settling) return settling;
    if (this.#isClosed) throw new Error('the service is shutting down');
    const environment = await this.#options.open(version);
    // The service may have begun to close meanwhile, or the group have been emptied and dropped.
    this.#groupOf(version).busy.add(environment);
    if (this.#isClosed) {
      this.discard(environment);
      throw new Error('the service is shutting down');
    }
    return environment;
  }

  /** Gives an environment back for the next call. */
  giveBack(environment: Environment): void {
    const group = this.#groupOf(environment.version);
    if (this.#isClosed || !environment.isFree || !this.#options.isCurrent(environment.version)) {
      this.discard(environment);
      return;
    }
    const waiter = group.waiters.shift();
    if (waiter) {
      waiter.take(environment);
      return;
    }
    group.busy.delete(environment);
    group.idle.push({ environment, since: this.#options.clock.monotonicMs() });
    this.#scheduleSweep();
  }

  /** Ends an environment; it is not used again. */
  discard(environment: Environment): void {
    const key = keyOf(environment.version);
    const group = this.#groups.get(key);
    group?.busy.delete(environment);
    if (group && isEmpty(group)) this.#groups.delete(key);
    const closing = environment
      .close()
      .catch((failure: unknown) => this.#options.log.error({ err: failure }, 'an environment did not end cleanly'))
      .finally(() => this.#closings.delete(closing));
    this.#closings.add(closing);
  }

  /** Ends the idle environments that are not current any more; busy ones end when they are given back. */
  retireOutdated(): void {
    this.#discardIdle((environment) => !this.#options.isCurrent(environment.version));
  }

  /** The versions that some environment uses right now. */
  *versionsInUse(): Iterable<FunctionVersion> {
    for (const group of this.#groups.values()) {
      for (const { environment } of group.idle) yield environment.version;
      for (const environment of group.busy) yield environment.version;
    }
  }

  /** Ends all environments, in parallel, those in use too. */
  async close(): Promise<void> {
    this.#isClosed = true;
    this.#cancelSweep?.();
    for (const group of [...this.#groups.values()]) {
      const all = [...group.idle.splice(0).map(({ environment }) => environment), ...group.busy];
      for (const environment of all) this.discard(environment);
    }
    while (this.#closings.size > 0) await Promise.all(this.#closings);
  }

  #groupOf(version: FunctionVersion): Group {
    const key = keyOf(version);
    let group = this.#groups.get(key);
    if (!group) {
      group = { idle: [], busy: new Set(), waiters: [] };
      this.#groups.set(key, group);
    }
    return group;
  }

  #waitForSettling(group: Group): Promise<Environment | undefined> | undefined {
    let settling = 0;
    for (const environment of group.busy) if (environment.isSettling) settling += 1;
    if (settling <= group.waiters.length) return undefined;
    return new Promise((resolve) => {
      const waiter: Waiter = {
        take: (environment) => {
          cancel();
          resolve(environment);
        },
      };
      const cancel = this.#options.clock.after(SETTLING_PATIENCE_MS, () => {
        const at = group.waiters.indexOf(waiter);
        if (at !== -1) group.waiters.splice(at, 1);
        resolve(undefined);
      });
      group.waiters.push(waiter);
    });
  }

  #scheduleSweep(): void {
    if (this.#cancelSweep) return;
    const { clock, idleMs } = this.#options;
    this.#cancelSweep = clock.after(Math.max(1000, Math.min(idleMs, 30_000)), () => {
      this.#cancelSweep = undefined;
      const now = clock.monotonicMs();
      this.#discardIdle((_environment, since) => now - since >= idleMs);
      for (const group of this.#groups.values()) if (group.idle.length > 0) this.#scheduleSweep();
    });
  }

  #discardIdle(isPast: (environment: Environment, since: number) => boolean): void {
    for (const group of [...this.#groups.values()]) {
      const past = group.idle.filter(({ environment, since }) => isPast(environment, since));
      for (const entry of past) group.idle.splice(group.idle.indexOf(entry), 1);
      for (const { environment } of past) this.discard(environment);
    }
  }
}

function isEmpty(group: Group): boolean {
  return group.idle.length === 0 && group.busy.size === 0 && group.waiters.length === 0;
}

/** A revision of one version of one function: no environment ever serves another. */
export function keyOf({ scope, name, version, revisionId }: FunctionVersion): string {
  return `${scope.account}:${scope.region}:${name}:${version}:${revisionId}`;
}
