/** Admin API of the service itself, for `lamella invoke`: its URLs, and its functions in all regions and accounts. */
import type { AdminRoute } from './admin-api.ts';

/** URLs of the service. The HTTP port has the same path, so that a client that took the wrong port finds the right one. */
export type ServiceUrls = { readonly lambda: string; readonly http: string };

export type FunctionLocation = { readonly region: string; readonly account: string; readonly name: string };

export function serviceRoutes(
  urls: () => ServiceUrls,
  functions: () => readonly FunctionLocation[],
): readonly AdminRoute[] {
  return [
    { method: 'GET', path: '/service', handle: () => urls() },
    {
      method: 'GET',
      path: '/functions',
      handle: ({ call }) => ({ account: call.scope.account, functions: functions() }),
    },
  ];
}
