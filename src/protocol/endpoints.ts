/**
 * Paths and methods of the APIs inside an environment. The server matches requests against these rows, and Lamella's
 * clients build requests from them.
 */

/** https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html */
export const RUNTIME_API = {
  next: { method: 'GET', path: '/2018-06-01/runtime/invocation/next' },
  response: { method: 'POST', path: '/2018-06-01/runtime/invocation/{id}/response' },
  error: { method: 'POST', path: '/2018-06-01/runtime/invocation/{id}/error' },
  initError: { method: 'POST', path: '/2018-06-01/runtime/init/error' },
  /** Undocumented, but clients probe it. */
  ping: { method: 'GET', path: '/2018-06-01/ping' },
} as const;

/** https://docs.aws.amazon.com/lambda/latest/dg/runtimes-extensions-api.html */
export const EXTENSIONS_API = {
  register: { method: 'POST', path: '/2020-01-01/extension/register' },
  next: { method: 'GET', path: '/2020-01-01/extension/event/next' },
  initError: { method: 'POST', path: '/2020-01-01/extension/init/error' },
  exitError: { method: 'POST', path: '/2020-01-01/extension/exit/error' },
} as const;

/** How extensions subscribe to telemetry. https://docs.aws.amazon.com/lambda/latest/dg/telemetry-api.html */
export const TELEMETRY_API = { subscribe: { method: 'PUT', path: '/2022-07-01/telemetry' } } as const;

/** The Telemetry API's predecessor, which AWS still supports. */
export const LOGS_API = { subscribe: { method: 'PUT', path: '/2020-08-15/logs' } } as const;

/** The port that AWS_LAMBDA_RUNTIME_API names on AWS. */
export const RUNTIME_API_PORT = 9001;
