/**
 * The address at which a request reached an API: the API's own address, with the stage before the path, or a custom
 * domain, with a base path (an API mapping) before it. The paths in the event depend on it. Pure.
 * https://docs.aws.amazon.com/apigateway/latest/developerguide/how-to-custom-domains.html
 */

export type ApiAddress = {
  /** What precedes the API's path in the request's path: `/prod`, `/v1` or nothing. */
  readonly prefix: string;
  readonly domainName: string;
  readonly via: 'own-address' | 'custom-domain';
};

/** The path below a prefix, with a leading `/`; undefined for a path that is not below it. */
export function pathBelow(path: string, prefix: string): string | undefined {
  if (prefix === '') return path;
  if (path === prefix) return '/';
  return path.startsWith(`${prefix}/`) ? path.slice(prefix.length) : undefined;
}

/** `requestContext.domainPrefix`: the first label of the domain name. */
export function domainPrefixOf(domainName: string): string {
  return domainName.split('.', 1)[0] ?? domainName;
}
