/**
 * Runs an invocation of a version: admits it, acquires an environment, returns the outcome. The Lambda API, the gateways
 * and the event sources all invoke functions through it. It depends neither on their protocols nor on how an environment
 * works.
 */
import type { Environment } from '../environment/environment.ts';
import type { Invocation, Outcome } from '../environment/invocation.ts';
import type { FunctionVersion } from '../functions/function.ts';
import { checkTenant } from '../functions/tenancy.ts';
import { admit, type ConcurrencyLimits } from './concurrency.ts';
import type { EnvironmentPool } from './pool.ts';

export interface Dispatcher {
  /**
   * Resolves with the outcome of the invocation. Rejects only when this machine could not run it, or with a ServiceError
   * when it lacks the tenant that the function requires.
   */
  invoke(version: FunctionVersion, invocation: Invocation): Promise<Outcome>;
}

export type DispatcherOptions = {
  readonly pool: Pick<EnvironmentPool, 'acquire' | 'acquireSettling' | 'release' | 'discard'>;
  readonly limitsOf: (version: FunctionVersion) => ConcurrencyLimits;
};

export function createDispatcher({ pool, limitsOf }: DispatcherOptions): Dispatcher {
  const inFlight = new Counter();
  // The same version object serves invocations until the function changes.
  const names = new WeakMap<FunctionVersion, CounterNames>();
  const namesOf = (version: FunctionVersion): CounterNames => {
    const known = names.get(version);
    if (known !== undefined) return known;
    const account = `${version.scope.account}:${version.scope.region}`;
    const ofFunction = `${account}:${version.name}`;
    const created = { account, ofFunction, ofVersion: `${ofFunction}:${version.version}` };
    names.set(version, created);
    return created;
  };

  return {
    async invoke(version, invocation) {
      const { tenantId } = invocation;
      checkTenant(version, tenantId);
      const limits = limitsOf(version);
      const { account, ofFunction, ofVersion } = namesOf(version);
      const tryAdmit = () =>
        admit(
          {
            account: inFlight.of(account),
            function: inFlight.of(ofFunction),
            version: limits.provisioned > 0 ? inFlight.of(ofVersion) : 0,
          },
          limits,
        );
      let admission = tryAdmit();
      let environment: Environment | undefined;
      if ('refusal' in admission) {
        // A client that calls again immediately would be throttled by its own previous call: that environment has
        // responded but is not free yet. Wait for it briefly.
        environment = await pool.acquireSettling(version, tenantId);
        if (environment) admission = tryAdmit();
      }
      if ('refusal' in admission) {
        if (environment) pool.release(environment);
        return { kind: 'throttled', reason: admission.refusal };
      }
      const { share } = admission;
      const count = (by: 1 | -1) => {
        inFlight.add(share === 'provisioned' ? ofVersion : ofFunction, by);
        if (share === 'unreserved') inFlight.add(account, by);
      };
      count(1);
      try {
        environment ??= await pool.acquire(version, tenantId);
        return start(environment);
      } catch (failure) {
        // The invocation has not started, so nothing else releases its share and its environment.
        count(-1);
        if (environment) pool.discard(environment);
        throw failure;
      }

      function start(used: Environment): Promise<Outcome> {
        const { outcome, released } = used.run(invocation);
        void released.then((state) => {
          count(-1);
          if (state === 'reusable') pool.release(used);
          else pool.discard(used);
        });
        return outcome;
      }
    },
  };
}

type CounterNames = { readonly account: string; readonly ofFunction: string; readonly ofVersion: string };

/** Counts by name, and removes names whose count is zero. */
class Counter {
  readonly #counts = new Map<string, number>();

  of(name: string): number {
    return this.#counts.get(name) ?? 0;
  }

  add(name: string, by: 1 | -1): void {
    const count = this.of(name) + by;
    if (count === 0) this.#counts.delete(name);
    else this.#counts.set(name, count);
  }
}
