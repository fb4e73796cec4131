/** Reads one header of a request to an environment's APIs. If a client sent it twice, the first one counts. */
import type { AnyRequest } from '../http/plain-connection.ts';

/** Returns the value of a header; undefined when it is missing. `name` is in lower case. */
export function headerOf(request: AnyRequest, name: string): string | undefined {
  const value = request.headers[name];
  return Array.isArray(value) ? value[0] : value;
}
