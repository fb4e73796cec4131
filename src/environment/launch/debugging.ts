/** Debugging of a service's environments: their plans, and the ports at which they wait for debuggers. */
import type { FunctionVersion } from '../../functions/function.ts';
import { isFreePort } from '../../http/debugger-connection.ts';
import { OperatorError } from '../../operator-error.ts';
import { type DebugPlan, planDebug } from './debug-plan.ts';
import type { FunctionTrees } from './inside-path.ts';

export type Debugging = {
  /** @throws OperatorError 'cannot-debug' */
  plan(version: FunctionVersion, trees: FunctionTrees): Promise<DebugPlan>;
  /** The environment of a plan, whose port is free again once it is closed. */
  watch<Environment extends { close(): Promise<void> }>(environment: Environment, plan: DebugPlan): Environment;
  release(plan: DebugPlan): void;
};

/** Maximum number of environments of one language that are debugged at the same time. */
const PORTS = 100;

export function createDebugging({ xdebug, directory }: { xdebug: string | undefined; directory: string }): Debugging {
  const taken = new Set<number>();
  const findPort = async (from: number) => {
    for (let port = from; port < from + PORTS; port += 1) {
      if (taken.has(port)) continue;
      taken.add(port);
      if (await isFreePort(port)) return port;
      taken.delete(port);
    }
    throw new Error(`No port from ${from} to ${from + PORTS - 1} of 127.0.0.1 is free for a debugger`);
  };
  const release = ({ port }: DebugPlan) => {
    taken.delete(port);
  };
  return {
    async plan(version, trees) {
      const plan = await planDebug({ version, trees, xdebug, directory, findPort });
      if ('reason' in plan) throw new OperatorError('cannot-debug', { name: version.name, ...plan });
      return plan;
    },
    watch(environment, plan) {
      const close = environment.close.bind(environment);
      environment.close = () => close().finally(() => release(plan));
      return environment;
    },
    release,
  };
}
