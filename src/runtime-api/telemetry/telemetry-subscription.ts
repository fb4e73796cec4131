/**
 * Parses the body with which an extension subscribes to the Telemetry or Logs API. Returns a subscription, or all
 * problems, joined as on AWS. Pure. A destination is always in the environment itself: hosts other than
 * `sandbox.localdomain` and `sandbox` are refused, so that an extension cannot make the platform call another host.
 * The rules and their sources are in docs/behavior/telemetry.md.
 */
import { RUNTIME_API_PORT } from '../../protocol/endpoints.ts';
import {
  SANDBOX_HOSTS,
  SCHEMA_VERSIONS,
  type SchemaVersion,
  TELEMETRY_CATEGORIES,
  type TelemetryApi,
  type TelemetryCategory,
} from '../../protocol/payloads.ts';
import { QUOTAS } from '../../protocol/quotas.ts';

/** The server in the environment that receives the batches. */
export type TelemetryDestination =
  | {
      readonly protocol: 'HTTP';
      readonly method: 'POST' | 'PUT';
      /** Host and port as the extension wrote them, for the Host header. */
      readonly authority: string;
      readonly port: number;
      readonly path: string;
      /** With its question mark, or empty. */
      readonly query: string;
    }
  | { readonly protocol: 'TCP'; readonly port: number };

export type TelemetryBuffering = { readonly maxItems: number; readonly maxBytes: number; readonly timeoutMs: number };

export type TelemetrySubscription = {
  readonly api: TelemetryApi;
  readonly schemaVersion: SchemaVersion;
  /** In the order of the request. */
  readonly types: readonly TelemetryCategory[];
  readonly buffering: TelemetryBuffering;
  readonly destination: TelemetryDestination;
};

/** Why a request is refused, as in AWS's 400 response. */
export type SubscriptionProblem = { readonly errorType: string; readonly errorMessage: string };

const FIELDS = ['schemaVersion', 'types', 'buffering', 'destination'] as const;

/** Parses the body of a subscription. `apiPort` is the port of the environment's own API. */
export function parseSubscription(
  api: TelemetryApi,
  text: string,
  apiPort: number,
): TelemetrySubscription | { readonly problem: SubscriptionProblem } {
  let body: unknown;
  try {
    body = JSON.parse(text);
  } catch (failure) {
    return undecodable(api, (failure as Error).message);
  }
  if (!isObject(body)) return undecodable(api, 'invalid type: expected struct SubscribeRequest');
  const unknown = Object.keys(body).find((field) => !(FIELDS as readonly string[]).includes(field));
  if (unknown !== undefined) {
    const known = FIELDS.map((field) => `\`${field}\``).join(', ');
    return undecodable(api, `unknown field \`${unknown}\`, expected one of ${known}`);
  }
  const problems: string[] = [];
  const destination = readDestination(body.destination, apiPort, problems);
  const types = readTypes(body.types, problems);
  const buffering = readBuffering(body.buffering, problems);
  const schemaVersion = readSchemaVersion(api, body.schemaVersion, problems);
  if (problems.length > 0 || !destination || !schemaVersion) {
    // The documentation of the two APIs uses different names.
    const errorType = api === 'Telemetry' ? 'ValidationError' : 'Logs.ValidationError';
    return { problem: { errorType, errorMessage: problems.join('; ') } };
  }
  return { api, schemaVersion, types, buffering, destination };
}

function undecodable(api: TelemetryApi, errorMessage: string): { readonly problem: SubscriptionProblem } {
  return { problem: { errorType: `${api}.DeserializationError`, errorMessage } };
}

function readDestination(value: unknown, apiPort: number, problems: string[]): TelemetryDestination | undefined {
  if (!isObject(value)) {
    problems.push(value === undefined ? 'missing field `destination`' : 'destination should be an object');
    return undefined;
  }
  switch (value.protocol) {
    case 'HTTP':
      return readHttpDestination(value, apiPort, problems);
    case 'TCP': {
      const { port } = value;
      if (port === undefined) problems.push('port is not provided');
      else if (!isIntegerBetween(port, 1, 65_535)) problems.push('port should be between 1 and 65535');
      else if (isReserved(port, apiPort)) problems.push(`port ${port} is reserved`);
      else return { protocol: 'TCP', port };
      return undefined;
    }
    default:
      problems.push(`unknown variant \`${variantOf(value.protocol)}\`, expected \`HTTP\` or \`TCP\``);
      return undefined;
  }
}

function readHttpDestination(
  value: Record<string, unknown>,
  apiPort: number,
  problems: string[],
): TelemetryDestination | undefined {
  const { URI: uri, method = 'POST' } = value;
  if (method !== 'POST' && method !== 'PUT') {
    problems.push(`unknown variant \`${variantOf(method)}\`, expected \`POST\` or \`PUT\``);
  }
  if (typeof uri !== 'string' || uri === '') {
    problems.push('URI is not provided');
    return undefined;
  }
  // URL alone is not enough: it drops port 80, but a port is required.
  const parts = /^(?<scheme>[a-z][a-z0-9+.-]*):\/\/(?<host>[^/?#@:]*)(?::(?<port>\d*))?(?<rest>[/?#].*)?$/i.exec(uri);
  const { scheme = '', host = '', port = '' } = parts?.groups ?? {};
  const at = problems.length;
  if (!parts || !URL.canParse(uri)) {
    problems.push('could not parse destination.URI');
    return undefined;
  }
  if (scheme.toLowerCase() !== 'http') problems.push("Only 'http' scheme is supported");
  if (!(SANDBOX_HOSTS as readonly string[]).includes(host.toLowerCase())) {
    problems.push(`destination.URI host must be ${SANDBOX_HOSTS[0]}`);
  }
  if (port === '') problems.push('URI port is not provided');
  else if (!isIntegerBetween(Number(port), 1, 65_535)) problems.push('URI port should be between 1 and 65535');
  else if (isReserved(Number(port), apiPort)) problems.push(`port ${Number(port)} is reserved`);
  if (problems.length > at) return undefined;
  const { pathname, search } = new URL(uri);
  return {
    protocol: 'HTTP',
    method: method === 'PUT' ? 'PUT' : 'POST',
    authority: `${host}:${Number(port)}`,
    port: Number(port),
    path: pathname,
    query: search,
  };
}

/** For an error message. Lists and objects can be nested too deep to be rendered, or have a `toString` of their own. */
function variantOf(value: unknown): string {
  return typeof value === 'object' && value !== null ? (Array.isArray(value) ? 'array' : 'object') : String(value);
}

function readTypes(value: unknown, problems: string[]): readonly TelemetryCategory[] {
  if (value === undefined) problems.push('missing field `types`');
  else if (!Array.isArray(value)) problems.push('types should be an array');
  else if (value.length === 0) problems.push('types should not be empty');
  else if (!value.every(isCategory)) problems.push('Unrecognized enum variant');
  else if (new Set(value).size < value.length) problems.push('types should be unique');
  else return value;
  return [];
}

function readBuffering(value: unknown, problems: string[]): TelemetryBuffering {
  const given = value ?? {};
  if (!isObject(given)) problems.push('buffering should be an object');
  const read = (name: string, { min, max, default: usual }: { min: number; max: number; default: number }): number => {
    const wanted = isObject(given) ? (given[name] ?? usual) : usual;
    if (isIntegerBetween(wanted, min, max)) return wanted;
    problems.push(`${name} should be between ${min} and ${max}`);
    return usual;
  };
  return {
    maxItems: read('maxItems', QUOTAS.telemetryItems),
    maxBytes: read('maxBytes', QUOTAS.telemetryBytes),
    timeoutMs: read('timeoutMs', QUOTAS.telemetryTimeoutMs),
  };
}

function readSchemaVersion(api: TelemetryApi, value: unknown, problems: string[]): SchemaVersion | undefined {
  const wanted = value ?? SCHEMA_VERSIONS.Logs[0];
  const version = (SCHEMA_VERSIONS[api] as readonly SchemaVersion[]).find((known) => known === wanted);
  if (version === undefined) {
    problems.push(
      api === 'Logs'
        ? `LogsAPI only supports the following SchemaVersion: ${SCHEMA_VERSIONS.Logs.join(', ')}`
        : `TelemetryAPI only supports the SchemaVersion released after ${SCHEMA_VERSIONS.Logs.at(-1)}`,
    );
  }
  return version;
}

function isReserved(port: number, apiPort: number): boolean {
  return port === RUNTIME_API_PORT || port === apiPort;
}

function isCategory(value: unknown): value is TelemetryCategory {
  return (TELEMETRY_CATEGORIES as readonly unknown[]).includes(value);
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isIntegerBetween(value: unknown, min: number, max: number): value is number {
  return Number.isInteger(value) && (value as number) >= min && (value as number) <= max;
}
