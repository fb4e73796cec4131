/**
 * A client of the Lambda Extensions and Telemetry APIs for authors of extensions: register, wait for what happens,
 * subscribe to telemetry. An external extension is a program in `/opt/extensions/`; an internal one is part of the
 * runtime's process. https://docs.aws.amazon.com/lambda/latest/dg/runtimes-extensions-api.html
 */
import { ConnectionLost, KeepAliveConnection } from '../http/keep-alive-connection.ts';
import { throwIfRefused } from '../protocol/api-refusal.ts';
import { EXTENSIONS_API, TELEMETRY_API } from '../protocol/endpoints.ts';
import type { SchemaVersion, TelemetryCategory, TracingContext } from '../protocol/payloads.ts';

export { LambdaApiError } from '../protocol/api-refusal.ts';
export type { TelemetryEvent } from '../protocol/payloads.ts';

/** What an extension may listen to. Internal extensions get INVOKE only. */
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
      /** Until then an extension may work; afterwards it is killed. */
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
  /** Where Lambda sends it: a server of this extension, on any port but 9001. */
  readonly destination:
    | { readonly protocol: 'HTTP'; readonly URI: string }
    | { readonly protocol: 'TCP'; readonly port: number };
  readonly buffering?: { readonly maxItems?: number; readonly maxBytes?: number; readonly timeoutMs?: number };
  readonly schemaVersion?: Exclude<SchemaVersion, '2020-08-15' | '2021-03-18'>;
};

export type ExtensionClientOptions = {
  /** `host:port`: the value of AWS_LAMBDA_RUNTIME_API. */
  readonly address: string;
  /** For an external extension the name of its file, without the folder. */
  readonly name: string;
};

export type ExtensionClient = {
  /** Must come before the other calls. Throws `LambdaApiError`, as all of them do. */
  register(events: readonly ExtensionEventType[]): Promise<Registration>;
  /** Waits for the next event; the first call says that the extension has initialized, each that it is done. */
  nextEvent(): Promise<ExtensionEvent>;
  /** While the environment initializes: before the first `nextEvent`. */
  subscribeToTelemetry(subscription: TelemetrySubscription): Promise<void>;
  /** Reports that initialization failed; the extension must exit afterwards. `errorType`: `Extension.NoConfiguration`. */
  failInitialization(errorType: string, error?: unknown): Promise<void>;
  /** Reports why the extension is about to exit. */
  failExit(errorType: string, error?: unknown): Promise<void>;
  close(): void;
};

const DEFAULT_SCHEMA = '2022-12-13';

/**
 * Makes a client; it connects with its first call.
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
    if (identifier === undefined) throw new Error('the extension has not registered yet');
    return `Lambda-Extension-Identifier: ${identifier}\r\n`;
  };
  const call = async (endpoint: { method: string; path: string }, headers: string, body?: unknown) => {
    const json = body === undefined ? undefined : JSON.stringify(body);
    const type = json === undefined ? '' : 'Content-Type: application/json\r\n';
    const answer = await connection.send(endpoint.method, endpoint.path, headers + type, json);
    throwIfRefused(answer);
    return answer;
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
      const answer = await call(EXTENSIONS_API.register, headers, { events });
      identifier = answer.header('lambda-extension-identifier');
      return JSON.parse(answer.body.toString()) as Registration;
    },
    async nextEvent() {
      for (let lost = 0; ; lost++) {
        try {
          const { body } = await call(EXTENSIONS_API.next, identified());
          return JSON.parse(body.toString()) as ExtensionEvent;
        } catch (failure) {
          if (failure instanceof ConnectionLost && failure.wasConnected && lost < RECONNECTIONS) continue;
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
const RECONNECTIONS = 5;

function messageOf(error: unknown): string {
  if (error === undefined) return '';
  return error instanceof Error ? error.message : String(error);
}

function stackOf(error: unknown): string[] {
  return error instanceof Error ? (error.stack ?? '').split('\n') : [];
}
