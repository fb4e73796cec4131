/**
 * The pool of environments, by version revision and tenant. It hands out the warm environment that was used last or opens a new
 * one, and closes environments that stay idle, have an outdated revision or belong to a deleted function. It does not
 * take part in an environment's lifecycle.
 */
import assert from 'node:assert/strict';
import type { Cancel, Clock } from '../clock.ts';
import type { Environment } from '../environment/environment.ts';
import type { FunctionVersion } from '../functions/function.ts';
import type { Log } from '../log.ts';
import type { InitializationType } from '../protocol/payloads.ts';

export type PoolOptions = {
  readonly open: (version: FunctionVersion, initializationType: InitializationType) => Promise<Environment>;
  readonly clock: Clock;
  readonly log: Log;
  /** Milliseconds after which an idle environment is closed. */
  readonly idleMs: number;
  /** Whether this is the version's current revision. Environments of an outdated revision are not used again. */
  readonly isCurrent: (version: FunctionVersion) => boolean;
};

/**
 * Milliseconds for which a call waits for an environment that has responded and is about to be free, before it opens
 * another one. A client that calls again immediately would otherwise be faster than the runtime's next poll.
 */
const SETTLING_TIMEOUT_MS = 10;
/** The same for a call that would otherwise be throttled because it must not open another environment. */
const THROTTLE_TIMEOUT_MS = 100;

type Waiter = { readonly take: (environment: Environment) => void };

/** The environments of one revision, and of one tenant of a function with tenant isolation. `idle` is a stack: the environment that was used last is used first. */
type Group = {
  readonly idle: { readonly environment: Environment; readonly since: number }[];
  readonly busy: Set<Environment>;
  readonly waiters: Waiter[];
  readonly provisioned: Provisioned;
};

/** Environments of a revision that are kept initialized for provisioned concurrency. */
type Provisioned = {
  /** How many are configured. */
  target: number;
  /** How many are being opened or initialized. */
  preparing: number;
  readonly environments: Set<Environment>;
  /** The function failed to initialize. No more are prepared until the target is set again. */
  hasFailed: boolean;
};

export type ProvisionedStatus = {
  readonly allocated: number;
  readonly status: 'IN_PROGRESS' | 'READY' | 'FAILED';
};

export class EnvironmentPool {
  readonly #options: PoolOptions;
  readonly #groups = new Map<string, Group>();
  /** The group of each environment that was opened. */
  readonly #keys = new WeakMap<Environment, string>();
  readonly #closings = new Set<Promise<void>>();
  #cancelSweep: Cancel | undefined;
  #isDraining = false;
  #isClosed = false;

  constructor(options: PoolOptions) {
    this.#options = options;
  }

  /** Returns an environment for exclusive use until it is released. Rejects when this machine cannot open one. */
  async acquire(version: FunctionVersion, tenantId?: string | undefined): Promise<Environment> {
    const key = keyOf(version, tenantId);
    const group = this.#groupOf(key);
    const warm = takeWarm(group);
    if (warm) {
      group.busy.add(warm);
      return warm;
    }
    const settling = await this.#waitForSettling(group, SETTLING_TIMEOUT_MS);
    if (settling) return settling;
    if (this.#isClosed) throw new Error('The service is shutting down');
    const environment = await this.#open(version, key, 'on-demand').catch((failure: unknown) => {
      this.#forgetIfEmpty(key);
      throw failure;
    });
    // Meanwhile the group may have become empty and been removed, or the service may have started to close.
    this.#groupOf(key).busy.add(environment);
    if (this.#isClosed) {
      this.discard(environment);
      throw new Error('The service is shutting down');
    }
    return environment;
  }

  /** Waits for an environment that has already responded. Undefined when there is none or it takes more than 100 ms. */
  async acquireSettling(version: FunctionVersion, tenantId?: string | undefined): Promise<Environment | undefined> {
    const group = this.#groups.get(keyOf(version, tenantId));
    return group && this.#waitForSettling(group, THROTTLE_TIMEOUT_MS);
  }

  /** Makes an environment available for the next call. */
  release(environment: Environment): void {
    const group = this.#groupOf(this.#keyOf(environment));
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

  /** Closes an environment. It is not used again. */
  discard(environment: Environment): void {
    const key = this.#keyOf(environment);
    const group = this.#groups.get(key);
    group?.busy.delete(environment);
    if (group?.provisioned.environments.delete(environment)) this.#prepareMissing(environment.version, group);
    this.#forgetIfEmpty(key);
    const closing = environment
      .close()
      .catch((failure: unknown) => this.#options.log.error({ err: failure }, 'could not close an environment cleanly'))
      .finally(() => this.#closings.delete(closing));
    this.#closings.add(closing);
  }

  /** Keeps `count` environments of a version initialized for provisioned concurrency; 0 stops that. */
  provision(version: FunctionVersion, count: number): void {
    const key = keyOf(version);
    const group = this.#groupOf(key);
    const { provisioned } = group;
    provisioned.target = count;
    provisioned.hasFailed = false;
    // Excess environments stay as on-demand ones until they have been idle for long enough.
    for (const environment of provisioned.environments) {
      if (provisioned.environments.size <= count) break;
      provisioned.environments.delete(environment);
    }
    if (count === 0) this.#scheduleSweep();
    this.#prepareMissing(version, group);
    this.#forgetIfEmpty(key);
  }

  /** How many revisions have environments, waiting callers or provisioned concurrency. */
  get revisionCount(): number {
    return this.#groups.size;
  }

  /** The state of a version's provisioned concurrency. */
  provisionedStatus(version: FunctionVersion): ProvisionedStatus {
    const provisioned = this.#groups.get(keyOf(version))?.provisioned;
    const allocated = provisioned?.environments.size ?? 0;
    if (provisioned?.hasFailed) return { allocated, status: 'FAILED' };
    return { allocated, status: provisioned && allocated >= provisioned.target ? 'READY' : 'IN_PROGRESS' };
  }

  /** Closes idle environments whose revision is outdated; busy ones are closed when they are released. */
  retireOutdated(): void {
    this.#discardIdle((environment) => !this.#options.isCurrent(environment.version));
  }

  /** All environments, also busy ones. */
  *environments(): Iterable<Environment> {
    for (const { idle, busy } of this.#groups.values()) {
      for (const { environment } of idle) yield environment;
      yield* busy;
    }
  }

  /** The versions that have environments. */
  *versionsInUse(): Iterable<FunctionVersion> {
    for (const { version } of this.environments()) yield version;
  }

  /**
   * Closes idle environments now, and busy ones as soon as they are free. Call it while the calls in progress finish:
   * what is closed by then does not delay the shutdown.
   */
  drain(): void {
    this.#isDraining = true;
    for (const { provisioned } of this.#groups.values()) provisioned.target = 0;
    this.#discardIdle(() => true);
  }

  /** Closes all environments in parallel, including busy ones. */
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

  async #open(version: FunctionVersion, key: string, initializationType: InitializationType): Promise<Environment> {
    const environment = await this.#options.open(version, initializationType);
    this.#keys.set(environment, key);
    return environment;
  }

  #keyOf(environment: Environment): string {
    const key = this.#keys.get(environment);
    assert(key !== undefined, 'the pool opened the environment');
    return key;
  }

  #groupOf(key: string): Group {
    let group = this.#groups.get(key);
    if (!group) {
      const provisioned = { target: 0, preparing: 0, environments: new Set<Environment>(), hasFailed: false };
      group = { idle: [], busy: new Set(), waiters: [], provisioned };
      this.#groups.set(key, group);
    }
    return group;
  }

  #forgetIfEmpty(key: string): void {
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
          this.#options.log.error({ err: failure }, 'could not prepare an environment for provisioned concurrency');
        })
        .finally(() => {
          provisioned.preparing -= 1;
          this.#closings.delete(prepared);
          this.#forgetIfEmpty(keyOf(version));
        });
      this.#closings.add(prepared);
    }
  }

  async #prepare(version: FunctionVersion, group: Group): Promise<void> {
    const environment = await this.#open(version, keyOf(version), 'provisioned-concurrency');
    group.busy.add(environment);
    const isReady = !this.#isClosed && (await environment.initialize());
    if (isReady && group.provisioned.environments.size < group.provisioned.target) {
      group.provisioned.environments.add(environment);
    }
    if (!isReady && !this.#isClosed) group.provisioned.hasFailed = true;
    if (isReady) this.release(environment);
    else this.discard(environment);
  }

  #waitForSettling(group: Group, timeoutMs: number): Promise<Environment | undefined> | undefined {
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
      const cancel = this.#options.clock.after(timeoutMs, () => {
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
          environment.isGone ||
          (now - since >= idleMs &&
            !this.#groups.get(this.#keyOf(environment))?.provisioned.environments.has(environment)),
      );
      for (const group of this.#groups.values()) {
        if (group.idle.some(({ environment }) => !group.provisioned.environments.has(environment)))
          this.#scheduleSweep();
      }
    });
  }

  #discardIdle(isExpired: (environment: Environment, since: number) => boolean): void {
    for (const group of [...this.#groups.values()]) {
      const expired = group.idle.filter(({ environment, since }) => isExpired(environment, since));
      for (const entry of expired) group.idle.splice(group.idle.indexOf(entry), 1);
      for (const { environment } of expired) this.discard(environment);
    }
  }
}

/**
 * Takes the environment that was used last, provisioned ones first. An environment whose processes ended while it was
 * idle is skipped until they have been cleaned up.
 */
function takeWarm({ idle, provisioned }: Group): Environment | undefined {
  if (idle.length === 0) return undefined;
  if (provisioned.environments.size === 0 && idle.at(-1)?.environment.isFree) return idle.pop()?.environment;
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

/** Identifies a revision of one version of one function, and one of its tenants. An environment never serves another one. */
export function keyOf(version: FunctionVersion, tenantId?: string | undefined): string {
  let key = keys.get(version);
  if (key === undefined) {
    const { scope, name, version: number, revisionId } = version;
    key = `${scope.account}:${scope.region}:${name}:${number}:${revisionId}`;
    keys.set(version, key);
  }
  return tenantId === undefined ? key : `${key}:${tenantId}`;
}

/** A cache: a version object serves many invocations. */
const keys = new WeakMap<FunctionVersion, string>();
