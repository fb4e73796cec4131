/** Admin API of the HTTP gateways: APIs and load balancers with their routes, by name. */
import type { AdminRoute } from './admin-api.ts';
import { AdminError } from './admin-api.ts';

/** The gateways by name. `get` and `put` return a gateway's configuration in its JSON form. */
export type GatewayAdmin = {
  list(): Readonly<Record<string, object>>;
  get(name: string): object | undefined;
  /** The health of a load balancer's targets; undefined for an unknown gateway. */
  health(name: string): readonly object[] | undefined;
  /** Creates or replaces a gateway. @throws ConfigurationError */
  put(name: string, input: unknown): object;
  remove(name: string): boolean;
};

export function gatewayRoutes(gateways: GatewayAdmin): readonly AdminRoute[] {
  const missing = (name: string) =>
    new AdminError(
      404,
      `There is no gateway '${name}'. Existing gateways: ${Object.keys(gateways.list()).join(', ') || 'none'}.`,
    );
  return [
    { method: 'GET', path: '/gateways', handle: () => ({ gateways: gateways.list() }) },
    {
      method: 'GET',
      path: '/gateways/{name}',
      handle({ parameters: { name = '' } }) {
        const gateway = gateways.get(name);
        if (gateway === undefined) throw missing(name);
        return gateway;
      },
    },
    {
      method: 'GET',
      path: '/gateways/{name}/health',
      handle({ parameters: { name = '' } }) {
        const targets = gateways.health(name);
        if (targets === undefined) throw missing(name);
        return { targets };
      },
    },
    {
      method: 'PUT',
      path: '/gateways/{name}',
      handle: ({ parameters: { name = '' }, input }) => gateways.put(name, input),
    },
    {
      method: 'DELETE',
      path: '/gateways/{name}',
      handle({ parameters: { name = '' } }) {
        if (!gateways.remove(name)) throw missing(name);
      },
    },
  ];
}
