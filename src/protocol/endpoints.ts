/**
 * The Runtime API as a runtime sees it: paths, methods, limits. The server matches against these rows; clients of
 * ours build their requests from them. Source: lambda-behaviour.md 2.1.
 */

export const RUNTIME_API = {
  next: { method: 'GET', path: '/2018-06-01/runtime/invocation/next' },
  response: { method: 'POST', path: '/2018-06-01/runtime/invocation/{id}/response' },
  error: { method: 'POST', path: '/2018-06-01/runtime/invocation/{id}/error' },
  initError: { method: 'POST', path: '/2018-06-01/runtime/init/error' },
  /** Undocumented; kept because clients probe it. */
  ping: { method: 'GET', path: '/2018-06-01/ping' },
} as const;

/** The port that AWS_LAMBDA_RUNTIME_API names on AWS. */
export const RUNTIME_API_PORT = 9001;
