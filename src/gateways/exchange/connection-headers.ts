/**
 * Headers that a function may not set, because they belong to the connection or to the gateway. HTTP APIs and load
 * balancers remove them; REST APIs and function URLs rename some of them. Pure.
 * https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-known-issues.html
 */
import { type Header, isHopByHop } from './gateway-request.ts';

/**
 * Headers that are renamed. All are recorded on AWS for REST APIs. For function URLs only Connection, Content-Length
 * and WWW-Authenticate are (cargo-lambda issue 862 and others); the others are assumed to be the same.
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

/** Removes the headers of the connection. */
export function dropConnectionHeaders(headers: readonly Header[]): readonly Header[] {
  return headers.filter(([name]) => !isHopByHop(name.toLowerCase()));
}

/** Renames `Date` to `x-amzn-Remapped-Date` and so on, and removes the other headers of the connection. */
export function renameOwnHeaders(headers: readonly Header[]): readonly Header[] {
  return headers.flatMap(([name, value]): Header[] => {
    const key = name.toLowerCase();
    if (RENAMED.has(key)) return [[`x-amzn-Remapped-${name}`, value]];
    return isHopByHop(key) ? [] : [[name, value]];
  });
}
