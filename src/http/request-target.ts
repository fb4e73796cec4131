/**
 * Splits a request's target into path and query without `URL`, which throws for targets that a client may send, such as
 * `//`, and takes the host from others. Nothing is decoded. https://www.rfc-editor.org/rfc/rfc9112#section-3.2
 */
export type RequestTarget = {
  /** Begins with `/`, except for `*`. */
  readonly path: string;
  /** With its `?`; empty without a query. */
  readonly search: string;
};

export function splitTarget(target: string | undefined): RequestTarget {
  const origin = (target ?? '/').replace(/^https?:\/\/[^/?#]*/i, '').replace(/#.*$/s, '');
  const at = origin.indexOf('?');
  const path = at < 0 ? origin : origin.slice(0, at);
  return { path: path === '' ? '/' : path, search: at < 0 ? '' : origin.slice(at) };
}
