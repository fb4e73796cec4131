/**
 * The part of the library that works with any running service, in this process or another: functions, layers, logs, the
 * clock and a fresh start, over HTTP as any client would.
 */
import { type ApiConnection, createConnection, type ServiceTarget } from './api-connection.ts';
import { createFunctions, type Functions, type InvokeOptions, type InvokeResult, invokeFunction } from './functions.ts';
import { createLayers, type Layers } from './layers.ts';
import { type LogEvent, type LogsOptions, readLogs } from './read-logs.ts';

export type LamellaClient = {
  /** Endpoint URL for AWS clients, e.g. `http://127.0.0.1:3001`. */
  readonly url: string;
  /** What clients of the AWS SDK need: `new SQSClient(lamella.aws)`. */
  readonly aws: {
    readonly endpoint: string;
    readonly region: string;
    readonly credentials: { readonly accessKeyId: string; readonly secretAccessKey: string };
  };
  readonly functions: Functions;
  readonly layers: Layers;
  /**
   * Invokes a function with `payload` as JSON (a Buffer is sent as it is). An error of the function is part of the result.
   * @throws LamellaError by AWS's name if the service refuses the call: ResourceNotFoundException, TooManyRequestsException
   * @example const { payload } = await lamella.invoke<{ greeting: string }>('hello', { name: 'World' });
   */
  invoke<Payload = unknown>(name: string, payload?: unknown, options?: InvokeOptions): Promise<InvokeResult<Payload>>;
  /** The log of a function, from its first line. */
  logs(name: string, options?: LogsOptions): Promise<LogEvent[]>;
};

/** A service in another process. */
export type RemoteLamella = LamellaClient & {
  /** The clock of retries, schedules, visibility timeouts and expiry. */
  readonly clock: {
    now(): Promise<Date>;
    /** Moves the clock ahead, in milliseconds. */
    advance(ms: number): Promise<void>;
    /** Moves the clock ahead to this time. Rejects if it is past. */
    set(time: Date | number | string): Promise<void>;
  };
  /** Removes everything but layer versions. Refused by a service that keeps its data. @throws LamellaError */
  reset(): Promise<void>;
};

export function createClient(target: ServiceTarget): LamellaClient {
  return clientOf(createConnection(target));
}

export function createRemote(target: ServiceTarget): RemoteLamella {
  const connection = createConnection(target);
  const now = async () => {
    const { time } = await connection.call({ operation: 'GET /clock', method: 'GET', path: '/_lamella/clock' });
    return new Date(time);
  };
  const advance = async (ms: number) => {
    const input = { advanceSeconds: ms / 1000 };
    await connection.call({ operation: 'POST /clock', method: 'POST', path: '/_lamella/clock', input });
  };
  return {
    ...clientOf(connection),
    clock: {
      now,
      advance,
      async set(time) {
        const input = { time: new Date(time).toISOString() };
        await connection.call({ operation: 'POST /clock', method: 'POST', path: '/_lamella/clock', input });
      },
    },
    async reset() {
      await connection.call({ operation: 'POST /reset', method: 'POST', path: '/_lamella/reset' });
    },
  };
}

function clientOf(connection: ApiConnection): LamellaClient {
  const { url, region, accessKeyId, secretAccessKey } = connection.target;
  const layers = createLayers(connection);
  return {
    url,
    aws: { endpoint: url, region, credentials: { accessKeyId, secretAccessKey } },
    functions: createFunctions(connection, layers),
    layers,
    invoke: (name, payload, options) => invokeFunction(connection, name, payload, options),
    logs: (name, options) => readLogs(connection, name, options),
  };
}
