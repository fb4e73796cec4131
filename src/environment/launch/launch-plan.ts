/**
 * Plans what is started for a function version: the sandbox's mounts and limits, and the environment variables of the
 * runtime and the extensions. Pure: the same input gives the same plan.
 * https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html
 */
import type { FunctionVersion } from '../../functions/function.ts';
import type { InitializationType } from '../../protocol/payloads.ts';
import { QUOTAS } from '../../protocol/quotas.ts';
import type { Mount, SandboxSpec } from '../../sandbox/sandbox.ts';

/** What distinguishes the environments of one version. */
export type EnvironmentContext = {
  /** Unique on this machine; names the sandbox. */
  readonly id: string;
  /** Determines its loopback address and host uid. */
  readonly slot: number;
  /** Its loopback address; `sandbox.localdomain` inside. */
  readonly host: string;
  /** The Runtime API's `host:port`. */
  readonly runtimeApi: string;
  readonly logStream: string;
  readonly initializationType: InitializationType;
  /** Unpacked code on the host. */
  readonly codeDirectory: string;
  /** Merged layers on the host; undefined for a function without layers. */
  readonly optDirectory: string | undefined;
};

/** The credentials of the function's role, with which it signs its own requests. Never the user's. */
export type Credentials = {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken: string;
};

const MIB = 1024 * 1024;

/** Plans the sandbox. `further` mounts provide the replacement for a managed runtime. */
export function planSandbox(
  version: FunctionVersion,
  context: EnvironmentContext,
  further: readonly Mount[] = [],
): SandboxSpec {
  return {
    id: context.id,
    slot: context.slot,
    userName: 'sbx_user1051',
    directories: ['/var/task', '/opt', '/tmp'],
    mounts: [
      { source: context.codeDirectory, target: '/var/task', access: 'read-only' },
      ...(context.optDirectory ? [{ source: context.optDirectory, target: '/opt', access: 'read-only' } as const] : []),
      ...further,
    ],
    volume: { target: '/tmp', sizeBytes: version.configuration.ephemeralStorageMib * MIB },
    hosts: { [context.host]: ['sandbox.localdomain', 'sandbox'] },
    workingDirectory: '/var/task',
    memoryLimitBytes: version.configuration.memoryMib * MIB,
    limits: {
      openFiles: QUOTAS.openFiles,
      processes: QUOTAS.processes,
      lockedBytes: QUOTAS.lockedMemoryBytes,
      coreBytes: QUOTAS.coreFileBytes,
    },
  };
}

/** All environment variables of the runtime process. */
export function planRuntimeVariables(
  version: FunctionVersion,
  context: EnvironmentContext,
  credentials: Credentials,
): Readonly<Record<string, string>> {
  const { configuration, scope } = version;
  return {
    ...overridable(configuration.runtime ?? 'provided.al2023'),
    ...logging(version),
    ...withoutReservedPrefix(configuration.environment ?? {}),
    AWS_ACCESS_KEY_ID: credentials.accessKeyId,
    AWS_SECRET_ACCESS_KEY: credentials.secretAccessKey,
    AWS_SESSION_TOKEN: credentials.sessionToken,
    _AWS_XRAY_DAEMON_ADDRESS: '169.254.100.1',
    _AWS_XRAY_DAEMON_PORT: '2000',
    _HANDLER: configuration.handler ?? '',
    AWS_LAMBDA_LOG_GROUP_NAME: configuration.logging.logGroup,
    AWS_LAMBDA_LOG_STREAM_NAME: context.logStream,
    LAMBDA_TASK_ROOT: '/var/task',
    LAMBDA_RUNTIME_DIR: '/var/runtime',
    AWS_REGION: scope.region,
    AWS_DEFAULT_REGION: scope.region,
    AWS_LAMBDA_FUNCTION_NAME: version.name,
    AWS_LAMBDA_FUNCTION_VERSION: version.version,
    AWS_LAMBDA_FUNCTION_MEMORY_SIZE: String(configuration.memoryMib),
    AWS_LAMBDA_INITIALIZATION_TYPE: context.initializationType,
    AWS_LAMBDA_RUNTIME_API: context.runtimeApi,
  };
}

/** The variables of an external extension: the function's own, the credentials and the platform's, without the runtime's. */
export function planExtensionVariables(
  version: FunctionVersion,
  context: EnvironmentContext,
  credentials: Credentials,
): Readonly<Record<string, string>> {
  const variables = planRuntimeVariables(version, context, credentials);
  return Object.fromEntries(
    Object.entries(variables).filter(([name]) => !name.startsWith('_') && !NOT_FOR_EXTENSIONS.has(name)),
  );
}

/** The variables that extensions do not get, from AWS's documentation of the Extensions API. */
const NOT_FOR_EXTENSIONS: ReadonlySet<string> = new Set([
  'AWS_EXECUTION_ENV',
  'AWS_LAMBDA_LOG_GROUP_NAME',
  'AWS_LAMBDA_LOG_STREAM_NAME',
  'AWS_XRAY_CONTEXT_MISSING',
  'AWS_XRAY_DAEMON_ADDRESS',
  'LAMBDA_RUNTIME_DIR',
  'LAMBDA_TASK_ROOT',
]);

/** Variables that the function's configuration can replace. */
function overridable(runtime: string): Record<string, string> {
  const isAl2023 = runtime !== 'provided' && runtime !== 'provided.al2';
  return {
    AWS_XRAY_CONTEXT_MISSING: 'LOG_ERROR',
    AWS_XRAY_DAEMON_ADDRESS: '169.254.100.1:2000',
    LANG: 'en_US.UTF-8',
    TZ: ':UTC',
    PATH: `${isAl2023 ? '/var/lang/bin:' : ''}/usr/local/bin:/usr/bin/:/bin:/opt/bin`,
    LD_LIBRARY_PATH: `${isAl2023 ? '/var/lang/lib:' : ''}/lib64:/usr/lib64:/var/runtime:/var/runtime/lib:/var/task:/var/task/lib:/opt/lib`,
  };
}

function withoutReservedPrefix(variables: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(variables).filter(([name]) => !name.startsWith('_')));
}

function logging({ configuration }: FunctionVersion): Record<string, string> {
  const { format, applicationLogLevel } = configuration.logging;
  const level = applicationLogLevel === undefined ? {} : { AWS_LAMBDA_LOG_LEVEL: applicationLogLevel };
  return format === 'JSON' ? { AWS_LAMBDA_LOG_FORMAT: 'JSON', ...level } : {};
}

/**
 * The name of an environment's log stream: `2026/11/22/[$LATEST]0123...`, and in a custom log group with the function's
 * name before the bracket. `hex` is 32 random hex digits.
 */
export function renderLogStream(version: FunctionVersion, epochMs: number, hex: string): string {
  const day = new Date(epochMs).toISOString().slice(0, 10).replaceAll('-', '/');
  const isOwnGroup = version.configuration.logging.logGroup === `/aws/lambda/${version.name}`;
  return `${day}/${isOwnGroup ? '' : version.name}[${version.version}]${hex}`;
}
