/**
 * Environments by version revision: hands out the warm one that was used last, or opens a new one; ends those that stay
 * idle, whose revision is past, or whose function is gone. It never looks into an environment's life.
 */
import type { Cancel, Clock } from '../clock.ts';
import type { Environment } from '../environment/environment.ts';
import type { FunctionVersion } from '../functions/function.ts';
import type { Log } from '../log.ts';
import type { InitializationType } from '../protocol/payloads.ts';

export type PoolOptions = {
  readonly open: (version: FunctionVersion, initializationType: InitializationType) => Promise<Environment>;
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
/** The same for a call that must not open another one, and would be refused. */
const REFUSAL_PATIENCE_MS = 100;

type Waiter = { readonly take: (environment: Environment) => void };

/** The environments of one revision. `idle` is used from its end, so that the last used one is first. */
type Group = {
  readonly idle: { readonly environment: Environment; readonly since: number }[];
  readonly busy: Set<Environment>;
  readonly waiters: Waiter[];
  readonly provisioned: Provisioned;
};

/** Environments of a revision that are kept initialized ahead of calls. */
type Provisioned = {
  /** How many there shall be. */
  target: number;
  /** Opening or initializing. */
  preparing: number;
  readonly environments: Set<Environment>;
  /** The function failed to initialize; nothing more is tried until the target is set again. */
  hasFailed: boolean;
};

export type ProvisionedStatus = {
  readonly allocated: number;
  readonly status: 'IN_PROGRESS' | 'READY' | 'FAILED';
};

export class EnvironmentPool {
  readonly #options: PoolOptions;
  readonly #groups = new Map<string, Group>();
  readonly #closings = new Set<Promise<void>>();
  #cancelSweep: Cancel | undefined;
  #isDraining = false;
  #isClosed = false;

  constructor(options: PoolOptions) {
    this.#options = options;
  }

  /** An environment that nobody else uses until it is given back. Rejects when this machine cannot open one. */
  async acquire(version: FunctionVersion): Promise<Environment> {
    const group = this.#groupOf(version);
    const warm = takeWarm(group);
    if (warm) {
      group.busy.add(warm);
      return warm;
    }
    const settling = await this.#waitForSettling(group, SETTLING_PATIENCE_MS);
    if (settling) return settling;
    if (this.#isClosed) throw new Error('the service is shutting down');
    const environment = await this.#options.open(version, 'on-demand').catch((failure: unknown) => {
      this.#forgetIfEmpty(version);
      throw failure;
    });
    // The service may have begun to close meanwhile, or the group have been emptied and dropped.
    this.#groupOf(version).busy.add(environment);
    if (this.#isClosed) {
      this.discard(environment);
      throw new Error('the service is shutting down');
    }
    return environment;
  }

  /** One that has answered already, once it is free; undefined when there is none, or it takes long. */
  async acquireSettling(version: FunctionVersion): Promise<Environment | undefined> {
    const group = this.#groups.get(keyOf(version));
    return group && this.#waitForSettling(group, REFUSAL_PATIENCE_MS);
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
    if (this.#isDraining) {
      this.discard(environment);
      return;
    }
    group.busy.delete(environment);
    group.idle.push({ environment, since: this.#options.clock.monotonicMs() });
    this.#scheduleSweep();
  }

  /** Ends an environment; it is not used again. */
  discard(environment: Environment): void {
    const group = this.#groups.get(keyOf(environment.version));
    group?.busy.delete(environment);
    if (group?.provisioned.environments.delete(environment)) this.#prepareMissing(environment.version, group);
    this.#forgetIfEmpty(environment.version);
    const closing = environment
      .close()
      .catch((failure: unknown) => this.#options.log.error({ err: failure }, 'an environment did not end cleanly'))
      .finally(() => this.#closings.delete(closing));
    this.#closings.add(closing);
  }

  /** Keeps `count` environments of a version initialized ahead of calls; 0 lets go of them. */
  provision(version: FunctionVersion, count: number): void {
    const group = this.#groupOf(version);
    const { provisioned } = group;
    provisioned.target = count;
    provisioned.hasFailed = false;
    // What is too many stays as an ordinary environment, until it has been idle for long.
    for (const environment of provisioned.environments) {
      if (provisioned.environments.size <= count) break;
      provisioned.environments.delete(environment);
    }
    if (count === 0) this.#scheduleSweep();
    this.#prepareMissing(version, group);
    this.#forgetIfEmpty(version);
  }

  /** How many revisions it keeps anything of: environments, callers that wait, a number to prepare. */
  get revisionCount(): number {
    return this.#groups.size;
  }

  /** How far the preparation of a version's environments has come. */
  provisionedStatus(version: FunctionVersion): ProvisionedStatus {
    const provisioned = this.#groups.get(keyOf(version))?.provisioned;
    const allocated = provisioned?.environments.size ?? 0;
    if (provisioned?.hasFailed) return { allocated, status: 'FAILED' };
    return { allocated, status: provisioned && allocated >= provisioned.target ? 'READY' : 'IN_PROGRESS' };
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

  /**
   * Ends what nobody uses, and from now on each environment as soon as it is free. For the time in which calls under
   * way may end: what is gone by then does not delay the end of the service.
   */
  drain(): void {
    this.#isDraining = true;
    for (const { provisioned } of this.#groups.values()) provisioned.target = 0;
    this.#discardIdle(() => true);
  }

  /** Ends all environments, in parallel, those in use too. */
  async close(): Promise<void> {
    this.#isClosed = true;
    this.#cancelSweep?.();
    for (const group of [...this.#groups.values()]) {
      group.provisioned.target = 0;
      const all = [...group.idle.splice(0).map(({ environment }) => environment), ...group.busy];
      for (const environment of all) this.discard(environment);
    }
    while (this.#closings.size > 0) await Promise.all(this.#closings);
  }

  #groupOf(version: FunctionVersion): Group {
    const key = keyOf(version);
    let group = this.#groups.get(key);
    if (!group) {
      const provisioned = { target: 0, preparing: 0, environments: new Set<Environment>(), hasFailed: false };
      group = { idle: [], busy: new Set(), waiters: [], provisioned };
      this.#groups.set(key, group);
    }
    return group;
  }

  #forgetIfEmpty(version: FunctionVersion): void {
    const key = keyOf(version);
    const group = this.#groups.get(key);
    if (group && isEmpty(group)) this.#groups.delete(key);
  }

  #prepareMissing(version: FunctionVersion, group: Group): void {
    const { provisioned } = group;
    while (
      !this.#isClosed &&
      !provisioned.hasFailed &&
      provisioned.environments.size + provisioned.preparing < provisioned.target
    ) {
      provisioned.preparing += 1;
      const prepared = this.#prepare(version, group)
        .catch((failure: unknown) => {
          provisioned.hasFailed = true;
          this.#options.log.error({ err: failure }, 'an environment could not be prepared ahead');
        })
        .finally(() => {
          provisioned.preparing -= 1;
          this.#closings.delete(prepared);
          this.#forgetIfEmpty(version);
        });
      this.#closings.add(prepared);
    }
  }

  async #prepare(version: FunctionVersion, group: Group): Promise<void> {
    const environment = await this.#options.open(version, 'provisioned-concurrency');
    group.busy.add(environment);
    const isReady = !this.#isClosed && (await environment.initialize());
    if (isReady && group.provisioned.environments.size < group.provisioned.target) {
      group.provisioned.environments.add(environment);
    }
    if (!isReady && !this.#isClosed) group.provisioned.hasFailed = true;
    if (isReady) this.giveBack(environment);
    else this.discard(environment);
  }

  #waitForSettling(group: Group, patienceMs: number): Promise<Environment | undefined> | undefined {
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
      const cancel = this.#options.clock.after(patienceMs, () => {
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
      this.#discardIdle(
        (environment, since) =>
          now - since >= idleMs &&
          !this.#groups.get(keyOf(environment.version))?.provisioned.environments.has(environment),
      );
      for (const group of this.#groups.values()) {
        if (group.idle.some(({ environment }) => !group.provisioned.environments.has(environment)))
          this.#scheduleSweep();
      }
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

/**
 * The last used one, provisioned ones first: they are there to be used. One whose processes ended while it was idle
 * is passed over until what is left of them has been cleared away.
 */
function takeWarm({ idle, provisioned }: Group): Environment | undefined {
  let at = -1;
  if (provisioned.environments.size > 0) {
    at = idle.findLastIndex(({ environment }) => environment.isFree && provisioned.environments.has(environment));
  }
  if (at === -1) at = idle.findLastIndex(({ environment }) => environment.isFree);
  return at === -1 ? undefined : idle.splice(at, 1)[0]?.environment;
}

function isEmpty(group: Group): boolean {
  return (
    group.idle.length === 0 &&
    group.busy.size === 0 &&
    group.waiters.length === 0 &&
    group.provisioned.target === 0 &&
    group.provisioned.preparing === 0
  );
}

/** A revision of one version of one function: no environment ever serves another. */
export function keyOf({ scope, name, version, revisionId }: FunctionVersion): string {
  return `${scope.account}:${scope.region}:${name}:${version}:${revisionId}`;
}
