/** Control calls of asynchronous invocations: how many events of a function wait, run, or are held back. */
import type { Scope } from '../protocol/names.ts';
import type { Counts } from '../queues/queue-store.ts';
import type { ControlRoute } from './admin-api.ts';

export function asyncRoutes(pending: (scope: Scope, name: string) => Counts): readonly ControlRoute[] {
  return [
    {
      method: 'GET',
      path: '/async/{function}',
      answer({ parameters, query, call }) {
        const scope = { ...call.scope, region: query.get('region') ?? call.scope.region };
        const { visible, leased, delayed } = pending(scope, parameters.function ?? '');
        return { waiting: visible, running: leased, delayed };
      },
    },
  ];
}
