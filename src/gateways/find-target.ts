/**
 * Finds the function URL or the gateways that a request is for: by its host (the one that AWS would give them, or one
 * of `hosts`), by a path below `/_lamella/` for clients that cannot use such hosts, or else by base path. Pure.
 */
import type { ApiAddress } from './api-address.ts';
import { pathBelow } from './api-address.ts';
import type { GatewayConfig } from './gateway-config.ts';

/** Function URLs and gateways respond below these paths on every host: `/_lamella/url/<url-id>/...`. */
const PATHS = { url: '/_lamella/url/', gateway: '/_lamella/gateway/' } as const;

export type Target =
  /** `path` is the path in the event. */
  | { readonly kind: 'function-url'; readonly id: string; readonly region: string | undefined; readonly path: string }
  /** Gateways that may have a route for the request. The best match is first. */
  | { readonly kind: 'gateways'; readonly candidates: readonly Candidate[] }
  /** Not found. `named` is the gateway that the host or path names, if any. */
  | { readonly kind: 'nothing'; readonly named: string | undefined };

export type Candidate = {
  readonly config: GatewayConfig;
  /** As the client sent it, without a `/_lamella/` prefix. */
  readonly path: string;
  readonly address: ApiAddress;
};

/** `host` is in lower case and without a port, `path` is percent-encoded. */
export function findTarget(host: string, path: string, gateways: readonly GatewayConfig[]): Target {
  const url = /^([a-z0-9]+)\.lambda-url\.([a-z0-9-]+)\./.exec(host);
  if (url?.[1] !== undefined) return { kind: 'function-url', id: url[1], region: url[2], path };
  const urlByPath = splitNamed(path, PATHS.url);
  if (urlByPath) return { kind: 'function-url', id: urlByPath.name, region: undefined, path: urlByPath.path };

  const gatewayByPath = splitNamed(path, PATHS.gateway);
  const own = gatewayByPath?.name ?? /^([a-z0-9-]+)\.(?:execute-api\.[a-z0-9-]+|[a-z0-9-]+\.elb)\./.exec(host)?.[1];
  if (own !== undefined) {
    const managed = gateways.filter((config) => config.managed?.isOwnAddress && config.managed.id === own);
    if (managed.length > 0) {
      return { kind: 'gateways', candidates: [chooseStage(managed, host, gatewayByPath?.path ?? path)] };
    }
    const config = gateways.find(({ name }) => name === own);
    if (config === undefined) return { kind: 'nothing', named: own };
    const address = gatewayByPath ? customDomain(host, config) : ownAddress(host, config);
    return { kind: 'gateways', candidates: [{ config, path: gatewayByPath?.path ?? path, address }] };
  }

  const candidates = gateways
    .filter(({ hosts, managed }) => (hosts.length === 0 && managed === undefined) || hosts.includes(host))
    .map((config) => ({ config, path, address: customDomain(host, config) }))
    .filter(({ config, address }) => config.kind === 'load-balancer' || pathBelow(path, address.prefix) !== undefined)
    .sort((a, b) => rank(b) - rank(a));
  return candidates.length > 0 ? { kind: 'gateways', candidates } : { kind: 'nothing', named: undefined };
}

/**
 * The stage that the first segment of the path names, or `$default`. The stages of one API are gateways of their own.
 * If there is none, the first one responds that it has no such path.
 */
function chooseStage(stages: readonly GatewayConfig[], host: string, path: string): Candidate {
  const candidates = stages.map((config) => ({ config, path, address: ownAddress(host, config) }));
  const matching = candidates
    .filter(({ address }) => pathBelow(path, address.prefix) !== undefined)
    .sort((a, b) => b.address.prefix.length - a.address.prefix.length);
  const chosen = matching[0] ?? candidates[0];
  if (chosen === undefined) throw new Error('an API without stages');
  return chosen;
}

/** At the API's own address, paths start with the stage. */
function ownAddress(host: string, config: GatewayConfig): ApiAddress {
  const hasStage = config.kind !== 'load-balancer' && config.stage !== '$default';
  return { prefix: hasStage ? `/${config.stage}` : '', domainName: host, via: 'own-address' };
}

function customDomain(host: string, config: GatewayConfig): ApiAddress {
  const prefix = config.kind === 'load-balancer' ? '' : config.basePath;
  return { prefix, domainName: host, via: 'custom-domain' };
}

/** A gateway with this host precedes one for every host; a longer base path precedes a shorter one. */
function rank({ config, address }: Candidate): number {
  return (config.hosts.length > 0 ? 10_000 : 0) + address.prefix.length;
}

function splitNamed(path: string, prefix: string): { readonly name: string; readonly path: string } | undefined {
  if (!path.startsWith(prefix)) return undefined;
  const [name = '', ...rest] = path.slice(prefix.length).split('/');
  return { name, path: `/${rest.join('/')}` };
}
