/**
 * Runs an invocation of a version: admission, an environment, the outcome. Every gateway calls this and nothing else. It
 * knows no protocol of the gateways', and no environment's inside.
 */
import type { Environment } from '../environment/environment.ts';
import type { Invocation, Outcome } from '../environment/invocation.ts';
import type { FunctionVersion } from '../functions/function.ts';
import { admit, type ConcurrencyLimits } from './concurrency.ts';
import type { EnvironmentPool } from './pool.ts';

export interface Dispatcher {
  /** Resolves with how the invocation ended. Rejects only when this machine could not run it. */
  invoke(version: FunctionVersion, invocation: Invocation): Promise<Outcome>;
}

export type DispatcherOptions = {
  readonly pool: Pick<EnvironmentPool, 'acquire' | 'acquireSettling' | 'giveBack' | 'discard'>;
  readonly limitsOf: (version: FunctionVersion) => ConcurrencyLimits;
};

export function createDispatcher({ pool, limitsOf }: DispatcherOptions): Dispatcher {
  const inFlight = new Counter();

  return {
    async invoke(version, invocation) {
      const limits = limitsOf(version);
      const account = `${version.scope.account}:${version.scope.region}`;
      const ofFunction = `${account}:${version.name}`;
      const ofVersion = limits.provisioned > 0 ? `${ofFunction}:${version.version}` : '';
      const ask = () =>
        admit(
          { account: inFlight.of(account), function: inFlight.of(ofFunction), version: inFlight.of(ofVersion) },
          limits,
        );
      let admission = ask();
      let environment: Environment | undefined;
      if ('refusal' in admission) {
        // A caller that calls again at once would otherwise be refused for the sake of its own call before, whose
        // environment has answered and is free in a moment.
        environment = await pool.acquireSettling(version);
        if (environment) admission = ask();
      }
      if ('refusal' in admission) {
        if (environment) pool.giveBack(environment);
        return { kind: 'throttled', reason: admission.refusal };
      }
      const { share } = admission;
      const count = (by: 1 | -1) => {
        inFlight.add(share === 'provisioned' ? ofVersion : ofFunction, by);
        if (share === 'unreserved') inFlight.add(account, by);
      };
      count(1);
      try {
        environment ??= await pool.acquire(version);
        return start(environment);
      } catch (failure) {
        // It has not even begun, so that nobody else gives back what it holds.
        count(-1);
        if (environment) pool.discard(environment);
        throw failure;
      }

      function start(used: Environment): Promise<Outcome> {
        const { outcome, released } = used.run(invocation);
        void released.then((state) => {
          count(-1);
          if (state === 'reusable') pool.giveBack(used);
          else pool.discard(used);
        });
        return outcome;
      }
    },
  };
}

/** Counts by name; forgets what is zero. */
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
