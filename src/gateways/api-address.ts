/**
 * Where in an API a request arrived, which decides on the paths in its event: at the API's own address with the stage
 * in front of the path, or at a custom domain with a base path (an API mapping) in front of it. Pure.
 * https://docs.aws.amazon.com/apigateway/latest/developerguide/how-to-custom-domains.html
 */

export type ApiAddress = {
  /** What stands before the API's own path in the client's: `/prod`, `/v1` or nothing. */
  readonly prefix: string;
  readonly domainName: string;
  readonly via: 'own-address' | 'custom-domain';
};

/** The path below a prefix, beginning with `/`; undefined when it is not below. */
export function pathBelow(path: string, prefix: string): string | undefined {
  if (prefix === '') return path;
  if (path === prefix) return '/';
  return path.startsWith(`${prefix}/`) ? path.slice(prefix.length) : undefined;
}

/** The first label, as AWS has it. */
export function domainPrefixOf(domainName: string): string {
  return domainName.split('.', 1)[0] ?? domainName;
}
