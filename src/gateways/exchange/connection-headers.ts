/**
 * What becomes of headers that a function may not set, because they are the connection's or the gateway's own: HTTP APIs
 * and load balancers leave them out, REST APIs and function URLs pass some on under another name. Pure.
 * https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-known-issues.html
 */
import { type Header, isHopByHop } from './gateway-request.ts';

/**
 * Headers that are renamed. Recorded on AWS for REST APIs; of function URLs, Connection, Content-Length and
 * WWW-Authenticate were (cargo-lambda issue 862 and others), the rest is taken to be the same.
 */
const RENAMED: ReadonlySet<string> = new Set([
  'authorization',
  'connection',
  'content-length',
  'content-md5',
  'date',
  'expect',
  'host',
  'max-forwards',
  'proxy-authenticate',
  'server',
  'trailer',
  'upgrade',
  'user-agent',
  'www-authenticate',
]);

/** Without the headers of the connection. */
export function dropConnectionHeaders(headers: readonly Header[]): readonly Header[] {
  return headers.filter(([name]) => !isHopByHop(name.toLowerCase()));
}

/** `Date` becomes `x-amzn-Remapped-Date`; other headers of the connection are left out. */
export function renameOwnHeaders(headers: readonly Header[]): readonly Header[] {
  return headers.flatMap(([name, value]): Header[] => {
    const key = name.toLowerCase();
    if (RENAMED.has(key)) return [[`x-amzn-Remapped-${name}`, value]];
    return isHopByHop(key) ? [] : [[name, value]];
  });
}
