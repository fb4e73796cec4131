/** Admin API of asynchronous invocations: how many events of a function are waiting, running or delayed for a retry. */
import type { Scope } from '../protocol/names.ts';
import type { Counts } from '../queues/queue-store.ts';
import type { AdminRoute } from './admin-api.ts';

export function asyncRoutes(pending: (scope: Scope, name: string) => Counts): readonly AdminRoute[] {
  return [
    {
      method: 'GET',
      path: '/async/{function}',
      handle({ parameters, query, call }) {
        const scope = { ...call.scope, region: query.get('region') ?? call.scope.region };
        const { visible, leased, delayed } = pending(scope, parameters.function ?? '');
        return { waiting: visible, running: leased, delayed };
      },
    },
  ];
}
