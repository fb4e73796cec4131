/**
 * Runs an invocation of a version: admission, an environment, the outcome. Every door calls this and nothing else. It
 * knows no protocol of the doors', and no environment's inside.
 */
import type { Environment } from '../environment/environment.ts';
import type { Invocation, Outcome, ThrottleReason } from '../environment/invocation.ts';
import type { FunctionVersion } from '../functions/function.ts';
import { admit, type ConcurrencyLimits } from './concurrency.ts';
import type { EnvironmentPool } from './pool.ts';

export interface Dispatcher {
  /** Resolves with how the invocation ended. Rejects only when this machine could not run it. */
  invoke(version: FunctionVersion, invocation: Invocation): Promise<Outcome>;
}

export type DispatcherOptions = {
  readonly pool: EnvironmentPool;
  readonly limitsOf: (version: FunctionVersion) => ConcurrencyLimits;
};

export function createDispatcher({ pool, limitsOf }: DispatcherOptions): Dispatcher {
  const inFlight = new Counter();

  return {
    async invoke(version, invocation) {
      const account = `${version.scope.account}:${version.scope.region}`;
      const ofFunction = `${account}:${version.name}`;
      const counts = { account: inFlight.of(account), function: inFlight.of(ofFunction) };
      const refusal: ThrottleReason | undefined = admit(counts, limitsOf(version));
      if (refusal) return { kind: 'throttled', reason: refusal };
      inFlight.add(account, 1);
      inFlight.add(ofFunction, 1);
      const done = () => {
        inFlight.add(account, -1);
        inFlight.add(ofFunction, -1);
      };
      let environment: Environment;
      try {
        environment = await pool.acquire(version);
      } catch (failure) {
        done();
        throw failure;
      }
      const { outcome, released } = environment.run(invocation);
      void released.then((state) => {
        done();
        if (state === 'reusable') pool.giveBack(environment);
        else pool.discard(environment);
      });
      return outcome;
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
