/** Opens the HTTP gateways: those of the database, those of `--route`, and the port on which they listen. */
import type { FunctionSettings } from '../functions/settings/open-settings.ts';
import { createGatewayAdmin } from '../gateways/gateway-admin.ts';
import { parseRouteOptions } from '../gateways/gateway-config.ts';
import { createGateways, type Gateways } from '../gateways/gateways.ts';
import { type OpenGateways, type OpenGatewaysOptions, openGateways } from '../gateways/open-gateways.ts';
import { OperatorError } from '../operator-error.ts';
import type { Options } from '../options.ts';
import type { Database } from '../storage/database.ts';
import { ConfigurationError } from '../wire/configuration.ts';

type Shared =
  | 'limits'
  | 'bodies'
  | 'urls'
  | 'listen'
  | 'findApiKey'
  | 'invoke'
  | 'keyOf'
  | 'identityOf'
  | 'clock'
  | 'backgroundClock'
  | 'log';

export type HttpGatewaysOptions = Pick<OpenGatewaysOptions, Shared> & {
  readonly options: Pick<
    Options,
    'routes' | 'strict' | 'host' | 'port' | 'httpPort' | 'region' | 'accountId' | 'allowHost'
  >;
  readonly database: Database;
  readonly settings: FunctionSettings;
};

export type HttpGateways = Pick<OpenGateways, 'port' | 'drain' | 'close'> & {
  readonly admin: ReturnType<typeof createGatewayAdmin>;
  /** Replaces the gateways that an API of API Gateway or a load balancer has. @throws ConfigurationError */
  readonly setManaged: Gateways['setManaged'];
};

/** Listens; the caller closes it. @throws OperatorError 'usage', 'port-in-use' or 'cannot-listen' */
export async function openHttpGateways({ options, database, ...shared }: HttpGatewaysOptions): Promise<HttpGateways> {
  const gateways = createGateways(database);
  addRoutes(gateways, options.routes);
  const { healthOf, ...opened } = await openGateways({
    ...shared,
    gateways,
    host: options.host,
    port: options.httpPort ?? (options.port === 0 ? 0 : undefined),
    defaultRegion: options.region,
    accountId: options.accountId,
    allowedHosts: options.allowHost,
    enforcesPolicies: options.strict.includes('policies'),
  });
  return { ...opened, admin: createGatewayAdmin(gateways, healthOf), setManaged: gateways.setManaged };
}

/** Adds the gateways of `--route`, which are not stored. */
function addRoutes(gateways: Gateways, routes: readonly string[]): void {
  try {
    for (const config of parseRouteOptions(routes)) gateways.add(config);
  } catch (failure) {
    if (!(failure instanceof ConfigurationError)) throw failure;
    throw new OperatorError('usage', { reason: `--route: ${failure.message}`, command: 'start' }, failure);
  }
}
