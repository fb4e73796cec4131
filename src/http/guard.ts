/**
 * Decides which requests may reach the API port. By default the port verifies no credentials, so a page in the user's
 * browser must not reach it: neither through a hostname that resolves to 127.0.0.1 (DNS rebinding, visible in `Host`)
 * nor across origins (`Origin`, `Sec-Fetch-Site`). The HTTP port checks `Host` alone and leaves origins to each
 * gateway's CORS. Pure: headers in, verdict out.
 */
import { isIPv4, isIPv6 } from 'node:net';

export type GuardedHeaders = {
  readonly host?: string | undefined;
  readonly origin?: string | undefined;
  readonly 'sec-fetch-site'?: string | string[] | undefined;
};

export type GuardPolicy = {
  /** The host that the service binds to: a name or an address. */
  readonly boundHost: string;
  /** More names (`--allow-host`): `build.example`, `.example` or `*.example` with all subdomains, `*` for any. */
  readonly allowedHosts: readonly string[];
};

export type GuardVerdict = { readonly admitted: true } | { readonly admitted: false; readonly reason: string };

/**
 * Checks whether a request with these headers may be handled. `localAddress` is the server address that the client
 * connected to: a `Host` with that very address proves that no foreign name was resolved.
 */
export function checkCaller(
  headers: GuardedHeaders,
  policy: GuardPolicy,
  localAddress: string | undefined,
): GuardVerdict {
  const host = parseAuthority(headers.host ?? '');
  if (host === undefined) return refuse('the request has no valid Host header');
  if (!isOwnHost(host.name, policy, localAddress) && !isListed(host.name, policy.allowedHosts)) {
    return refuse(
      `the Host header names '${host.name}', which is not this service; ` +
        'if that name is yours, start the service with --allow-host',
    );
  }
  if (headers.origin !== undefined) return judgeOrigin(headers.origin, headers.host ?? '', policy);
  const site = headers['sec-fetch-site'];
  // `same-site` is another port of localhost, for example a function's own page. Without `Origin` it cannot be listed.
  if (site !== undefined && site !== 'none' && site !== 'same-origin') {
    return refuse('a browser sent the request from a page of another site or port');
  }
  return { admitted: true };
}

function judgeOrigin(origin: string, host: string, policy: GuardPolicy): GuardVerdict {
  const url = /^https?:\/\//i.test(origin) && URL.canParse(origin) ? new URL(origin) : undefined;
  const authority = url && parseAuthority(url.host);
  if (authority !== undefined) {
    if (url?.host === host.toLowerCase() || isListed(authority.name, policy.allowedHosts)) return { admitted: true };
  }
  return refuse(
    `a browser sent the request from a page with the origin '${origin}'; ` +
      'if that page is yours, start the service with --allow-host and its hostname',
  );
}

function refuse(reason: string): GuardVerdict {
  return { admitted: false, reason };
}

/** Parses `name[:port]`. The name is in lower case, without brackets and without a trailing dot. */
function parseAuthority(text: string): { readonly name: string } | undefined {
  const match = /^(?:\[([0-9a-fA-F:.]+)\]|([a-zA-Z0-9._-]+))(?::\d{1,5})?$/.exec(text);
  const name = (match?.[1] ?? match?.[2])?.toLowerCase().replace(/\.$/, '');
  return name ? { name } : undefined;
}

function isOwnHost(name: string, policy: GuardPolicy, localAddress: string | undefined): boolean {
  if (name === 'localhost' || name.endsWith('.localhost')) return true;
  if (isIPv4(name) && name.startsWith('127.')) return true;
  if (isIPv6(name) && canonicalIpv6(name) === '::1') return true;
  if (name === policy.boundHost.toLowerCase().replace(/^\[(.*)\]$/, '$1')) return true;
  return localAddress !== undefined && isSameAddress(name, localAddress);
}

function isSameAddress(name: string, address: string): boolean {
  const plain = address.replace(/^::ffff:(?=\d+\.)/i, '');
  if (isIPv4(name)) return name === plain;
  return isIPv6(name) && isIPv6(plain) && canonicalIpv6(name) === canonicalIpv6(plain);
}

function canonicalIpv6(address: string): string {
  return new URL(`http://[${address}]/`).hostname.slice(1, -1);
}

function isListed(name: string, allowed: readonly string[]): boolean {
  return allowed.some((entry) => {
    const pattern = entry.toLowerCase().replace(/\.$/, '');
    if (pattern === '*') return true;
    const suffix = pattern.startsWith('*.') ? pattern.slice(1) : pattern;
    return suffix.startsWith('.') ? name.endsWith(suffix) || name === suffix.slice(1) : name === suffix;
  });
}
