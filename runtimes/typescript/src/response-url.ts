/**
 * Responses of custom resources. On AWS their `ResponseURL` is always https, so that many handlers, the AWS CDK's among them,
 * pass only its host and path to `https.request`. A local service has an http URL: such requests go there instead. Nothing
 * changes for functions that never receive one.
 * https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/crpg-ref-responses.html
 */
import type { ClientRequest, IncomingMessage, RequestOptions } from 'node:http';
import { syncBuiltinESMExports } from 'node:module';

type ResponseListener = (response: IncomingMessage) => void;

/** Prepares for the response to an event. */
export type ResponseRedirect = (event: unknown) => void;

/** Sends each response to where the event's `ResponseURL` is, if that has no TLS. */
export function createResponseRedirect(): ResponseRedirect {
  let current: URL | undefined;
  let isPatched = false;
  return (event) => {
    const address = (event as { readonly ResponseURL?: unknown } | null)?.ResponseURL;
    if (typeof address !== 'string' || !address.startsWith('http:') || !URL.canParse(address)) return;
    current = new URL(address);
    if (!isPatched) patchRequests((options) => (isFor(current, options) ? current : undefined));
    isPatched = true;
  };
}

function isFor(url: URL | undefined, { hostname, host, path }: RequestOptions): boolean {
  return url !== undefined && (hostname ?? host) === url.hostname && path === `${url.pathname}${url.search}`;
}

/** `originOf` returns where a request goes instead; undefined for others. */
function patchRequests(originOf: (options: RequestOptions) => URL | undefined): void {
  // Loaded here: other functions do not need them.
  const http = require('node:http') as typeof import('node:http');
  const https = require('node:https') as typeof import('node:https');
  const original = https.request;
  https.request = ((...given: Parameters<typeof original>): ClientRequest => {
    const [first, ...rest] = given as [string | URL | RequestOptions, ...unknown[]];
    const more = typeof rest[0] === 'object' && rest[0] !== null ? (rest[0] as RequestOptions) : {};
    const url = typeof first === 'string' ? (URL.canParse(first) ? new URL(first) : undefined) : first;
    const own: RequestOptions =
      url instanceof URL ? { hostname: url.hostname, path: `${url.pathname}${url.search}` } : (url ?? {});
    const options = { ...own, ...more };
    const origin = originOf(options);
    if (origin === undefined) return original(...given);
    const { agent: _, defaultPort: __, ...kept } = options;
    const target: RequestOptions = { ...kept, protocol: 'http:', hostname: origin.hostname, port: origin.port };
    const callback = rest.find((value) => typeof value === 'function') as ResponseListener | undefined;
    return callback === undefined ? http.request(target) : http.request(target, callback);
  }) as typeof original;
  // For modules that import it by name.
  syncBuiltinESMExports();
}
