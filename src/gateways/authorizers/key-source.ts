/**
 * Where the keys of a JWT authorizer come from: the issuer's OpenID configuration as on AWS, or a JSON Web Key Set at
 * another address or in a local file. `key-sets.ts` reads them. Pure.
 * https://openid.net/specs/openid-connect-discovery-1_0.html
 */
import { isAbsolute } from 'node:path';
import { fileURLToPath } from 'node:url';

export type KeySource =
  /** The document at this URL names the key set in `jwks_uri`. */
  | { readonly kind: 'discovery'; readonly url: string }
  | { readonly kind: 'url'; readonly url: string }
  | { readonly kind: 'file'; readonly path: string };

/** Parses the configuration of an authorizer. Returns the reason for an invalid one. */
export function parseKeySource(issuer: string, jwksUri: string | undefined): KeySource | string {
  if (jwksUri === undefined) {
    const fault = findUrlFault(issuer);
    if (fault !== undefined) return `${fault}, or has jwksUri beside it`;
    return { kind: 'discovery', url: `${issuer.replace(/\/+$/, '')}/.well-known/openid-configuration` };
  }
  if (isAbsolute(jwksUri)) return { kind: 'file', path: jwksUri };
  if (/^file:\/\/\/[^%]*$/i.test(jwksUri)) return { kind: 'file', path: fileURLToPath(jwksUri) };
  const fault = findUrlFault(jwksUri);
  return fault === undefined ? { kind: 'url', url: jwksUri } : `${fault}, or an absolute path`;
}

/** Why keys are not fetched from a URL; undefined if they are. Without TLS only this machine is trusted. */
export function findUrlFault(text: string): string | undefined {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url?.protocol === 'https:' || (url?.protocol === 'http:' && isLoopback(url.hostname))) return undefined;
  return `must be an https: URL, or an http: URL of this machine, not ${JSON.stringify(text)}`;
}

function isLoopback(hostname: string): boolean {
  return /^(?:localhost|.*\.localhost|127(?:\.\d{1,3}){3}|\[::1\])$/i.test(hostname);
}
