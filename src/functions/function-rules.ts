/**
 * Lambda's rules for functions beyond the API's model, with AWS's messages. Pure: the caller resolves layers and checks
 * roles and code sizes.
 * Sources: responses of CreateFunction and UpdateFunctionConfiguration recorded on AWS (2025-11),
 * https://docs.aws.amazon.com/lambda/latest/api/API_CreateFunction.html
 */
import { ROLE_ARN_PATTERN, renderFunctionArn } from '../protocol/arn.ts';
import {
  RESERVED_ENVIRONMENT_VARIABLES,
  renderEnvironmentTooLarge,
  renderReservedVariables,
} from '../protocol/environment-variables.ts';
import type { Scope } from '../protocol/names.ts';
import { QUOTAS } from '../protocol/quotas.ts';
import {
  renderRetiredRuntime,
  renderUnknownRuntime,
  runtimeStatusOf,
  supportsSnapStart,
} from '../protocol/runtimes.ts';
import { ServiceError } from '../protocol/service-errors.ts';
import type {
  CodeDraft,
  ConfigurationDraft,
  FunctionConfiguration,
  FunctionLayer,
  LoggingConfiguration,
} from './function.ts';
import { refuseTenantIsolated } from './tenancy.ts';

type PackageType = 'Zip' | 'Image';

const ROLE = new RegExp(`^${ROLE_ARN_PATTERN}$`);

/** The defaults of a new function. */
export function defaultConfiguration(name: string): FunctionConfiguration {
  return {
    description: '',
    runtime: undefined,
    role: '',
    handler: undefined,
    timeoutSeconds: QUOTAS.timeoutSeconds.default,
    memoryMib: QUOTAS.memoryMib.default,
    ephemeralStorageMib: QUOTAS.ephemeralStorageMib.default,
    environment: undefined,
    layers: [],
    tracingMode: 'PassThrough',
    logging: {
      format: 'Text',
      applicationLogLevel: undefined,
      systemLogLevel: undefined,
      logGroup: `/aws/lambda/${name}`,
    },
    stored: {},
  };
}

/** Applies `draft` to `base`. `layers` are the resolved layers of the draft, if it names any. */
export function applyDraft(
  base: FunctionConfiguration,
  draft: ConfigurationDraft,
  layers: readonly FunctionLayer[] | undefined,
): FunctionConfiguration {
  return {
    description: draft.description ?? base.description,
    runtime: draft.runtime ?? base.runtime,
    role: draft.role ?? base.role,
    handler: draft.handler ?? base.handler,
    timeoutSeconds: draft.timeoutSeconds ?? base.timeoutSeconds,
    memoryMib: draft.memoryMib ?? base.memoryMib,
    ephemeralStorageMib: draft.ephemeralStorageMib ?? base.ephemeralStorageMib,
    environment: draft.environment ?? base.environment,
    layers: layers ?? base.layers,
    tracingMode: draft.tracingMode ?? base.tracingMode,
    logging: applyLogging(base.logging, draft.logging),
    stored: { ...base.stored, ...draft.stored },
  };
}

/**
 * Checks a draft and the configuration that results from it.
 * @param strictRuntimes refuse runtimes that AWS has retired, as AWS does
 * @throws ServiceError for the first violated rule
 */
export function checkConfiguration(
  draft: ConfigurationDraft,
  result: FunctionConfiguration,
  packageType: PackageType,
  strictRuntimes: boolean,
): void {
  checkRole(result.role);
  checkPackageType(result, packageType);
  if (draft.runtime !== undefined) checkRuntime(draft.runtime, strictRuntimes);
  if (draft.environment !== undefined) checkEnvironment(draft.environment);
  checkLogging(draft.logging, result.logging);
  checkSnapStart(result);
}

/** Checks that the code has the function's package type. @throws ServiceError */
export function checkCodeKind(code: CodeDraft, packageType: PackageType, verb: 'creating' | 'updating'): void {
  if (packageType === 'Image' && code.kind !== 'image') {
    throw refusal(`Please provide ImageUri when ${verb} a function with packageType Image.`);
  }
  if (packageType === 'Zip' && code.kind === 'image') {
    throw refusal(`Please don't provide ImageUri when ${verb} a function with packageType Zip.`);
  }
}

/** Adds tags to the tags of a function. @throws ServiceError when nothing is added, or there are too many */
export function mergeTags(
  present: Readonly<Record<string, string>>,
  added: Readonly<Record<string, string>>,
): Readonly<Record<string, string>> {
  if (Object.keys(added).length === 0) throw refusal('An error occurred and the request cannot be processed.');
  const tags = { ...present, ...added };
  checkTagCount(tags);
  return tags;
}

/** @throws ServiceError when a resource has too many tags */
export function checkTagCount(tags: Readonly<Record<string, string>>): void {
  if (Object.keys(tags).length > QUOTAS.tagsOfResource) throw refusal('Number of tags exceeds resource tag limit.');
}

/** AWS's error for a missing function, version or alias. */
export function functionNotFound(scope: Scope, name: string, qualifier?: string): ServiceError {
  return new ServiceError(
    'ResourceNotFoundException',
    `Function not found: ${renderFunctionArn(scope, name, qualifier)}`,
  );
}

/** The JSON format has log levels, which default to INFO. The Text format has none, and changing to it drops them. */
function applyLogging(base: LoggingConfiguration, draft: ConfigurationDraft['logging']): LoggingConfiguration {
  if (draft === undefined) return base;
  const format = draft.format ?? base.format;
  const isJson = format === 'JSON';
  return {
    format,
    applicationLogLevel: isJson ? (draft.applicationLogLevel ?? base.applicationLogLevel ?? 'INFO') : undefined,
    systemLogLevel: isJson ? (draft.systemLogLevel ?? base.systemLogLevel ?? 'INFO') : undefined,
    logGroup: draft.logGroup ?? base.logGroup,
  };
}

function checkRole(role: string): void {
  if (ROLE.test(role)) return;
  throw new ServiceError(
    'ValidationException',
    `1 validation error detected: Value '${role}' at 'role' failed to satisfy constraint: ` +
      `Member must satisfy regular expression pattern: ${ROLE_ARN_PATTERN}`,
  );
}

function checkPackageType({ runtime, handler, layers }: FunctionConfiguration, packageType: PackageType): void {
  if (packageType === 'Zip' && (runtime === undefined || handler === undefined)) {
    throw refusal('Runtime and Handler are mandatory parameters for functions created with deployment packages.');
  }
  if (packageType === 'Image' && (runtime !== undefined || handler !== undefined || layers.length > 0)) {
    throw refusal("Please don't provide handler or runtime or layer when the intended function PackageType is Image.");
  }
}

function checkRuntime(runtime: string, strictRuntimes: boolean): void {
  const status = runtimeStatusOf(runtime);
  if (status === 'unknown') throw refusal(renderUnknownRuntime(runtime));
  if (status === 'retired' && strictRuntimes) throw refusal(renderRetiredRuntime(runtime));
}

function checkEnvironment(variables: Readonly<Record<string, string>>): void {
  const reserved = Object.keys(variables).filter((key) => RESERVED_ENVIRONMENT_VARIABLES.has(key));
  if (reserved.length > 0) throw refusal(renderReservedVariables(reserved));
  const measured = JSON.stringify(variables);
  if (Buffer.byteLength(measured) > QUOTAS.environmentBytes) throw refusal(renderEnvironmentTooLarge(measured));
}

function checkLogging(draft: ConfigurationDraft['logging'], result: LoggingConfiguration): void {
  if (draft === undefined) return;
  if (result.format === 'Text' && (draft.applicationLogLevel !== undefined || draft.systemLogLevel !== undefined)) {
    throw refusal(
      'LogLevel is not supported when LogFormat is set to "Text". ' +
        'Remove LogLevel from your request or change the LogFormat to "JSON" and try again.',
    );
  }
  if (/^aws\//i.test(draft.logGroup ?? '')) throw refusal('Log groups starting with AWS/ are reserved for AWS.');
}

function checkSnapStart(configuration: FunctionConfiguration): void {
  const snapStart = configuration.stored.SnapStart as { readonly ApplyOn?: unknown } | undefined;
  if (snapStart?.ApplyOn !== 'PublishedVersions') return;
  refuseTenantIsolated({ configuration }, 'SnapStart is');
  const { runtime } = configuration;
  if (runtime === undefined || supportsSnapStart(runtime)) return;
  throw refusal(`${runtime} is not supported for SnapStart enabled functions.`);
}

function refusal(message: string): ServiceError {
  return new ServiceError('InvalidParameterValueException', message);
}
