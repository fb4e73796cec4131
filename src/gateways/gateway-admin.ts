/** Gateways as the admin API and the library manage them: by name, in their JSON form. */
import { type GatewayConfig, renderGatewayConfig } from './gateway-config.ts';
import type { Gateways } from './gateways.ts';
import type { TargetHealth } from './load-balancer/health-checks.ts';

export function createGatewayAdmin(gateways: Gateways, healthOf: (gateway: string) => readonly TargetHealth[]) {
  return {
    list: () => Object.fromEntries(gateways.all().map((config) => [config.name, render(config)])),
    get(name: string) {
      const config = gateways.get(name);
      return config && render(config);
    },
    health: (name: string) => (gateways.get(name) ? healthOf(name) : undefined),
    put: (name: string, input: unknown) => renderGatewayConfig(gateways.put(name, input)),
    remove: (name: string) => gateways.remove(name),
  };
}

/** A gateway that an operation of AWS created also has its `address`: the host and the path before the routes. */
function render(config: GatewayConfig): Record<string, unknown> {
  const { managed } = config;
  if (managed === undefined) return renderGatewayConfig(config);
  const { id, region, isOwnAddress } = managed;
  const ownHost = config.kind === 'load-balancer' ? `${id}.${region}.elb` : `${id}.execute-api.${region}`;
  const stage = config.kind === 'load-balancer' || config.stage === '$default' ? '' : `${config.stage}/`;
  const base = config.kind === 'load-balancer' ? '' : config.basePath;
  const address = isOwnAddress ? `${ownHost}.localhost/${stage}` : `${config.hosts[0]}${base}/`;
  return { ...renderGatewayConfig(config), address };
}
