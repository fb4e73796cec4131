/** Admin API of execution environments: the resources that the service and each environment use, with their limits. */
import type { EnvironmentAccount } from '../environment/account.ts';
import type { AdminRoute } from './admin-api.ts';

export type ResourceAccounts = {
  readonly service: {
    /** Resident memory of the service's process. */
    readonly memoryBytes: number;
    readonly descriptors: { readonly used: number; readonly limit: number };
    /** Connections of all environments to their Runtime APIs. */
    readonly connections: { readonly used: number; readonly limit: number };
    /** Room for the request bodies of all clients, in bytes, and the number of requests that wait for some. */
    readonly requestBodies: { readonly used: number; readonly limit: number; readonly waiting: number };
  };
  readonly environments: readonly EnvironmentAccount[];
};

export function environmentRoutes(accounts: () => Promise<ResourceAccounts>): readonly AdminRoute[] {
  return [{ method: 'GET', path: '/environments', handle: () => accounts() }];
}
