/** Reads one header of a call to an environment's APIs: where a client sent it twice, the first counts. */
import type { HttpRequest } from '../http/exchange.ts';

/** `name` in lower case; undefined when the header is not there. */
export function headerOf(request: HttpRequest, name: string): string | undefined {
  const value = request.headers[name];
  return Array.isArray(value) ? value[0] : value;
}
