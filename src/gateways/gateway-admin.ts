/** Gateways as the admin API and the library manage them: by name, in their JSON form. */
import { renderGatewayConfig } from './gateway-config.ts';
import type { Gateways } from './gateways.ts';
import type { TargetHealth } from './load-balancer/health-checks.ts';

export function createGatewayAdmin(gateways: Gateways, healthOf: (gateway: string) => readonly TargetHealth[]) {
  return {
    list: () => Object.fromEntries(gateways.all().map((config) => [config.name, renderGatewayConfig(config)])),
    get(name: string) {
      const config = gateways.get(name);
      return config && renderGatewayConfig(config);
    },
    health: (name: string) => (gateways.get(name) ? healthOf(name) : undefined),
    put: (name: string, input: unknown) => renderGatewayConfig(gateways.put(name, input)),
    remove: (name: string) => gateways.remove(name),
  };
}
