/** Control calls of the HTTP gateways: APIs and load balancers with their routes, by name. */
import type { ControlRoute } from './admin-api.ts';
import { ControlError } from './admin-api.ts';

/** What this needs of the gateways; `put` and `get` answer a gateway as it is written in JSON. */
export type GatewayAdmin = {
  list(): Readonly<Record<string, object>>;
  get(name: string): object | undefined;
  /** Of a load balancer's targets; undefined for a gateway that is not there. */
  health(name: string): readonly object[] | undefined;
  /** @throws Error with what is wrong with the input, of the kind that `isComplaint` knows */
  put(name: string, input: unknown): object;
  remove(name: string): boolean;
  isComplaint(failure: unknown): failure is Error;
};

export function gatewayRoutes(gateways: GatewayAdmin): readonly ControlRoute[] {
  const missing = (name: string) =>
    new ControlError(
      404,
      `There is no gateway '${name}'. There are: ${Object.keys(gateways.list()).join(', ') || 'none'}.`,
    );
  return [
    { method: 'GET', path: '/gateways', answer: () => ({ gateways: gateways.list() }) },
    {
      method: 'GET',
      path: '/gateways/{name}',
      answer({ parameters: { name = '' } }) {
        const gateway = gateways.get(name);
        if (gateway === undefined) throw missing(name);
        return gateway;
      },
    },
    {
      method: 'GET',
      path: '/gateways/{name}/health',
      answer({ parameters: { name = '' } }) {
        const targets = gateways.health(name);
        if (targets === undefined) throw missing(name);
        return { targets };
      },
    },
    {
      method: 'PUT',
      path: '/gateways/{name}',
      answer({ parameters: { name = '' }, input }) {
        try {
          return gateways.put(name, input);
        } catch (failure) {
          if (gateways.isComplaint(failure)) throw new ControlError(400, failure.message);
          throw failure;
        }
      },
    },
    {
      method: 'DELETE',
      path: '/gateways/{name}',
      answer({ parameters: { name = '' } }) {
        if (!gateways.remove(name)) throw missing(name);
      },
    },
  ];
}
