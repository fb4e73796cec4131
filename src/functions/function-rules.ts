/**
 * What a function may be, beyond the API's model: the service's own rules, and AWS's words for breaking them. Pure. What
 * has to be looked up (layers, roles, the sizes of code) is given in or checked by the caller.
 * Sources: recorded answers of CreateFunction and UpdateFunctionConfiguration (2025-11),
 * https://docs.aws.amazon.com/lambda/latest/api/API_CreateFunction.html
 */
import { ROLE_ARN_PATTERN } from '../protocol/arn.ts';
import {
  RESERVED_ENVIRONMENT_VARIABLES,
  renderEnvironmentTooLarge,
  renderReservedVariables,
} from '../protocol/environment-variables.ts';
import { QUOTAS } from '../protocol/quotas.ts';
import { renderRetiredRuntime, renderUnknownRuntime, standingOf, supportsSnapStart } from '../protocol/runtimes.ts';
import { ServiceError } from '../protocol/service-errors.ts';
import type {
  CodeDraft,
  ConfigurationDraft,
  FunctionConfiguration,
  FunctionLayer,
  LoggingConfiguration,
} from './function.ts';

type PackageType = 'Zip' | 'Image';

const ROLE = new RegExp(`^${ROLE_ARN_PATTERN}$`);

/** What a new function has where the client says nothing. */
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

/** What `base` becomes with the changes of `draft`, whose layers were resolved to `layers` when it names any. */
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
 * Judges what a client asks for, and what a function would be with it.
 * @param strictRuntimes refuse runtimes that AWS has retired, as AWS does
 * @throws ServiceError the first rule that is broken, in AWS's words
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

/** Judges whether code of this kind fits a function of this package type. @throws ServiceError in AWS's words */
export function checkCodeKind(code: CodeDraft, packageType: PackageType, verb: 'creating' | 'updating'): void {
  if (packageType === 'Image' && code.kind !== 'image') {
    throw refusal(`Please provide ImageUri when ${verb} a function with packageType Image.`);
  }
  if (packageType === 'Zip' && code.kind !== 'zip') {
    throw refusal(`Please don't provide ImageUri when ${verb} a function with packageType Zip.`);
  }
}

/** What replaces the tags of a function when these are added. @throws ServiceError in AWS's words */
export function mergeTags(
  present: Readonly<Record<string, string>>,
  added: Readonly<Record<string, string>>,
): Readonly<Record<string, string>> {
  if (Object.keys(added).length === 0) throw refusal('An error occurred and the request cannot be processed.');
  const tags = { ...present, ...added };
  checkTagCount(tags);
  return tags;
}

/** @throws ServiceError in AWS's words when there are more than a resource may have */
export function checkTagCount(tags: Readonly<Record<string, string>>): void {
  if (Object.keys(tags).length > QUOTAS.tagsOfResource) throw refusal('Number of tags exceeds resource tag limit.');
}

/** JSON has levels, INFO unless said otherwise; Text has none, and forgets those it had. */
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
  const standing = standingOf(runtime);
  if (standing === 'unknown') throw refusal(renderUnknownRuntime(runtime));
  if (standing === 'retired' && strictRuntimes) throw refusal(renderRetiredRuntime(runtime));
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

function checkSnapStart({ runtime, stored }: FunctionConfiguration): void {
  const snapStart = stored.SnapStart as { readonly ApplyOn?: unknown } | undefined;
  if (snapStart?.ApplyOn !== 'PublishedVersions' || runtime === undefined || supportsSnapStart(runtime)) return;
  throw refusal(`${runtime} is not supported for SnapStart enabled functions.`);
}

function refusal(message: string): ServiceError {
  return new ServiceError('InvalidParameterValueException', message);
}
