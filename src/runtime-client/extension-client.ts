/**
 * A client of the Lambda Extensions and Telemetry APIs for authors of extensions: register, wait for events, subscribe to
 * telemetry. An external extension is a program in `/opt/extensions/`; an internal one is part of the
 * runtime's process. https://docs.aws.amazon.com/lambda/latest/dg/runtimes-extensions-api.html
 */
import { ConnectionLost, KeepAliveConnection } from '../http/keep-alive-connection.ts';
import { EXTENSIONS_API, TELEMETRY_API } from '../protocol/endpoints.ts';
import { throwIfError } from '../protocol/lambda-api-error.ts';
import type { SchemaVersion, TelemetryCategory, TracingContext } from '../protocol/payloads.ts';

export { LambdaApiError } from '../protocol/lambda-api-error.ts';
export type { TelemetryEvent } from '../protocol/payloads.ts';

/** An event to which an extension may subscribe. Internal extensions get INVOKE only. */
export type ExtensionEventType = 'INVOKE' | 'SHUTDOWN';

export type ExtensionEvent =
  | {
      readonly eventType: 'INVOKE';
      /** Milliseconds since 1970. */
      readonly deadlineMs: number;
      readonly requestId: string;
      readonly invokedFunctionArn: string;
      readonly tracing: TracingContext;
    }
  | {
      readonly eventType: 'SHUTDOWN';
      /** The time at which the extension is killed, in milliseconds since 1970. */
      readonly deadlineMs: number;
      readonly shutdownReason: 'spindown' | 'timeout' | 'failure';
    };

export type Registration = {
  readonly functionName: string;
  readonly functionVersion: string;
  readonly handler: string;
  readonly accountId: string | undefined;
};

export type TelemetrySubscription = {
  readonly types: readonly TelemetryCategory[];
  /** A server in this environment to which Lambda sends the events, on any port except 9001. */
  readonly destination:
    | { readonly protocol: 'HTTP'; readonly URI: string }
    | { readonly protocol: 'TCP'; readonly port: number };
  readonly buffering?: { readonly maxItems?: number; readonly maxBytes?: number; readonly timeoutMs?: number };
  readonly schemaVersion?: Exclude<SchemaVersion, '2020-08-15' | '2021-03-18'>;
};

export type ExtensionClientOptions = {
  /** `host:port`: the value of AWS_LAMBDA_RUNTIME_API. */
  readonly address: string;
  /** For an external extension, its file name without the directory. */
  readonly name: string;
};

export type ExtensionClient = {
  /** Must be the first call. Like all calls, it throws `LambdaApiError`. */
  register(events: readonly ExtensionEventType[]): Promise<Registration>;
  /** Waits for the next event. The first call ends initialization; each later one ends the handling of an event. */
  nextEvent(): Promise<ExtensionEvent>;
  /** Subscribes to telemetry. Call it before the first `nextEvent`, while the environment initializes. */
  subscribeToTelemetry(subscription: TelemetrySubscription): Promise<void>;
  /** Reports that initialization failed. The extension must exit afterwards. `errorType` is like `Extension.NoConfiguration`. */
  failInitialization(errorType: string, error?: unknown): Promise<void>;
  /** Reports why the extension is about to exit. */
  failExit(errorType: string, error?: unknown): Promise<void>;
  close(): void;
};

const DEFAULT_SCHEMA = '2022-12-13';

/**
 * Creates a client, which connects with its first call. The caller closes it.
 *
 * @example
 * const lambda = createExtensionClient({ address: process.env.AWS_LAMBDA_RUNTIME_API, name: 'audit' });
 * await lambda.register(['INVOKE', 'SHUTDOWN']);
 * for (;;) {
 *   const event = await lambda.nextEvent();
 *   if (event.eventType === 'SHUTDOWN') break;
 *   console.log(event.requestId);
 * }
 */
export function createExtensionClient({ address, name }: ExtensionClientOptions): ExtensionClient {
  const connection = KeepAliveConnection.to(address);
  let identifier: string | undefined;

  const identified = () => {
    if (identifier === undefined) throw new Error('The extension is not registered: call register() first');
    return `Lambda-Extension-Identifier: ${identifier}\r\n`;
  };
  const call = async (endpoint: { method: string; path: string }, headers: string, body?: unknown) => {
    const json = body === undefined ? undefined : JSON.stringify(body);
    const type = json === undefined ? '' : 'Content-Type: application/json\r\n';
    const response = await connection.send(endpoint.method, endpoint.path, headers + type, json);
    throwIfError(response);
    return response;
  };
  const report = async (endpoint: { method: string; path: string }, errorType: string, error: unknown) => {
    const header = `Lambda-Extension-Function-Error-Type: ${errorType.replace(/[^!-~]/g, '_')}\r\n`;
    await call(endpoint, identified() + header, {
      errorType,
      errorMessage: messageOf(error),
      stackTrace: stackOf(error),
    });
  };

  return {
    async register(events) {
      const headers = `Lambda-Extension-Name: ${name}\r\nLambda-Extension-Accept-Feature: accountId\r\n`;
      const response = await call(EXTENSIONS_API.register, headers, { events });
      identifier = response.header('lambda-extension-identifier');
      return JSON.parse(response.body.toString()) as Registration;
    },
    async nextEvent() {
      for (let lost = 0; ; lost++) {
        try {
          const { body } = await call(EXTENSIONS_API.next, identified());
          return JSON.parse(body.toString()) as ExtensionEvent;
        } catch (failure) {
          if (failure instanceof ConnectionLost && failure.wasConnected && lost < MAX_RECONNECTIONS) continue;
          throw failure;
        }
      }
    },
    async subscribeToTelemetry({ schemaVersion = DEFAULT_SCHEMA, ...subscription }) {
      await call(TELEMETRY_API.subscribe, identified(), { schemaVersion, ...subscription });
    },
    failInitialization: (errorType, error) => report(EXTENSIONS_API.initError, errorType, error),
    failExit: (errorType, error) => report(EXTENSIONS_API.exitError, errorType, error),
    close: () => connection.close(),
  };
}

/** How often in a row a waiting call may lose its connection. */
const MAX_RECONNECTIONS = 5;

function messageOf(error: unknown): string {
  if (error === undefined) return '';
  return error instanceof Error ? error.message : String(error);
}

function stackOf(error: unknown): string[] {
  return error instanceof Error ? (error.stack ?? '').split('\n') : [];
}
