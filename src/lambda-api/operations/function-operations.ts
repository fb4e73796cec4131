/** Operations of functions and their versions. The rules are in `functions/functions.ts`. */
import type { CodeDraft, ConfigurationDraft, FunctionVersion } from '../../functions/function.ts';
import type { Functions } from '../../functions/functions.ts';
import type { HotDirectories } from '../../functions/hot-reload/hot-directories.ts';
import type { FunctionSettings } from '../../functions/settings/open-settings.ts';
import type { OperationInput } from '../../protocol/operations.ts';
import { QUOTAS } from '../../protocol/quotas.ts';
import { ServiceError } from '../../protocol/service-errors.ts';
import type { CallContext } from '../../wire/api-call.ts';
import { renderViolation } from '../input/parse-input.ts';
import { directoryOf, type ReadObject, readZip } from './code-source.ts';
import type { ContentDownloads } from './content.ts';
import type { OperationHandlers } from './operation-handler.ts';
import { pageRequestOf } from './operation-handler.ts';
import { resolveFunctionReference } from './references.ts';
import { renderCode, renderConfiguration, renderListedConfiguration } from './shapes.ts';

export function functionOperations({
  functions,
  settings,
  readObject,
  hotDirectories,
  downloads,
}: {
  functions: Functions;
  settings: Pick<FunctionSettings, 'get' | 'aliases' | 'concurrency' | 'codeSigning' | 'removeVersion'>;
  readObject: ReadObject;
  hotDirectories: Pick<HotDirectories, 'admit'> | undefined;
  downloads: ContentDownloads;
}): OperationHandlers {
  const locate = ({ baseUrl }: CallContext, { code }: FunctionVersion) =>
    code.digest && downloads.locate(baseUrl, code.digest);

  return {
    async CreateFunction(input, { scope }) {
      const { name } = resolveFunctionReference(scope, input.FunctionName);
      checkNameLength(name);
      refusePublishTo(input);
      const version = await functions.create(scope, {
        name,
        packageType: input.PackageType ?? 'Zip',
        architecture: input.Architectures?.[0] ?? 'x86_64',
        configuration: configurationOf(input),
        code: await codeOf(readObject, hotDirectories, input.Code),
        publish: input.Publish ?? false,
        tags: input.Tags ?? {},
      });
      if (input.CodeSigningConfigArn) settings.codeSigning.attach(scope, name, input.CodeSigningConfigArn);
      return { body: renderConfiguration(version) };
    },

    GetFunction(input, call) {
      const { scope } = call;
      const { name, qualifier } = resolveFunctionReference(scope, input.FunctionName, input.Qualifier);
      const version = settings.get(scope, name, qualifier);
      const tags = functions.tags(scope, name);
      const reserved = settings.concurrency.reserved(scope, name);
      return {
        body: {
          Configuration: renderConfiguration(version, { qualifier }),
          Code: renderCode(version, locate(call, version)),
          Tags: Object.keys(tags).length > 0 ? tags : undefined,
          Concurrency: reserved === undefined ? undefined : { ReservedConcurrentExecutions: reserved },
        },
      };
    },

    GetFunctionConfiguration(input, { scope }) {
      const { name, qualifier } = resolveFunctionReference(scope, input.FunctionName, input.Qualifier);
      return { body: renderConfiguration(settings.get(scope, name, qualifier), { qualifier }) };
    },

    ListFunctions(input, { scope }) {
      const all = input.FunctionVersion === 'ALL';
      const { items, nextMarker } = functions.list(scope, { ...pageRequestOf(input), all });
      return {
        body: { NextMarker: nextMarker, Functions: items.map((version) => renderListedConfiguration(version, all)) },
      };
    },

    async UpdateFunctionCode(input, { scope }) {
      refusePublishTo(input);
      const { name } = resolveFunctionReference(scope, input.FunctionName);
      const version = await functions.updateCode(scope, name, {
        code: await codeOf(readObject, hotDirectories, input),
        architecture: input.Architectures?.[0],
        publish: input.Publish,
        dryRun: input.DryRun,
        revisionId: input.RevisionId,
      });
      return { body: renderConfiguration(version) };
    },

    async UpdateFunctionConfiguration(input, { scope }) {
      const { name } = resolveFunctionReference(scope, input.FunctionName);
      const version = await functions.updateConfiguration(scope, name, configurationOf(input), input.RevisionId);
      return { body: renderConfiguration(version) };
    },

    DeleteFunction(input, { scope }) {
      const { name, qualifier } = resolveFunctionReference(scope, input.FunctionName, input.Qualifier);
      if (qualifier !== undefined) {
        const aliases = settings.aliases.pointingTo(scope, name, qualifier);
        if (aliases.length > 0) {
          throw new ServiceError(
            'ResourceConflictException',
            `Unable to delete version because the following aliases reference it: [${aliases.join(', ')}]`,
          );
        }
      }
      functions.delete(scope, name, qualifier);
      if (qualifier !== undefined) settings.removeVersion(scope, name, qualifier);
      return {};
    },

    async PublishVersion(input, { scope }) {
      refusePublishTo(input);
      const { name } = resolveFunctionReference(scope, input.FunctionName);
      const version = await functions.publishVersion(scope, name, {
        codeSha256: input.CodeSha256,
        revisionId: input.RevisionId,
        description: input.Description,
      });
      return { body: renderConfiguration(version) };
    },

    ListVersionsByFunction(input, { scope }) {
      const { name } = resolveFunctionReference(scope, input.FunctionName);
      const { items, nextMarker } = functions.listVersions(scope, name, pageRequestOf(input));
      return {
        body: { NextMarker: nextMarker, Versions: items.map((version) => renderListedConfiguration(version, true)) },
      };
    },
  };
}

/** The model allows the length of an ARN. The service checks the name in it and words the error like the model's. */
function checkNameLength(name: string): void {
  const max = QUOTAS.functionNameLength;
  if (name.length > max) {
    const violation = renderViolation('functionName', name, `Member must have length less than or equal to ${max}`);
    throw new ServiceError('InvalidParameterValueException', `1 validation error detected: ${violation}`);
  }
}

/** @throws ServiceError for a member that would have to act and does not */
function refusePublishTo({ PublishTo }: { readonly PublishTo?: string | undefined }): void {
  if (PublishTo === undefined) return;
  throw new ServiceError(
    'InvalidParameterValueException',
    `Lamella does not support PublishTo ${PublishTo}: it publishes a function to a capacity provider, which Lamella ` +
      'does not have. Publish a version instead.',
  );
}

function refuseDurableConfig({ DurableConfig }: { readonly DurableConfig?: unknown }): void {
  if (DurableConfig === undefined) return;
  throw new ServiceError(
    'InvalidParameterValueException',
    'Lamella does not support DurableConfig: it cannot resume a function from its checkpoints. ' +
      'Deploy the function without it.',
  );
}

async function codeOf(
  readObject: ReadObject,
  hotDirectories: Pick<HotDirectories, 'admit'> | undefined,
  code: OperationInput<'CreateFunction'>['Code'] | OperationInput<'UpdateFunctionCode'>,
): Promise<CodeDraft> {
  if (code.ZipFile === undefined && code.ImageUri !== undefined) return { kind: 'image', imageUri: code.ImageUri };
  const directory = directoryOf(code, hotDirectories);
  if (directory !== undefined) return { kind: 'directory', directory };
  return { kind: 'zip', ...(await readZip(readObject, code, 'Please provide a source for function code.')) };
}

function configurationOf(
  input: OperationInput<'CreateFunction'> | OperationInput<'UpdateFunctionConfiguration'>,
): ConfigurationDraft {
  refuseDurableConfig(input);
  return {
    description: input.Description,
    runtime: input.Runtime,
    role: input.Role,
    handler: input.Handler,
    timeoutSeconds: input.Timeout,
    memoryMib: checkMemory(input.MemorySize),
    ephemeralStorageMib: input.EphemeralStorage?.Size,
    environment: input.Environment && (input.Environment.Variables ?? {}),
    layers: input.Layers,
    tracingMode: input.TracingConfig?.Mode,
    logging: input.LoggingConfig && {
      ...(input.LoggingConfig.LogFormat && { format: input.LoggingConfig.LogFormat }),
      ...(input.LoggingConfig.ApplicationLogLevel && {
        applicationLogLevel: input.LoggingConfig.ApplicationLogLevel,
      }),
      ...(input.LoggingConfig.SystemLogLevel && { systemLogLevel: input.LoggingConfig.SystemLogLevel }),
      ...(input.LoggingConfig.LogGroup && { logGroup: input.LoggingConfig.LogGroup }),
    },
    stored: Object.fromEntries(
      STORED_MEMBERS.flatMap((name) => {
        const value = (input as Readonly<Record<string, unknown>>)[name];
        // Recorded on AWS: an empty DeadLetterConfig changes nothing; an empty TargetArn removes it.
        const isUnset =
          value === undefined || (name === 'DeadLetterConfig' && Object.keys(value as object).length === 0);
        return isUnset ? [] : [[name, value]];
      }),
    ),
  };
}

/** Members that are stored and returned unchanged. */
const STORED_MEMBERS = [
  'VpcConfig',
  'DeadLetterConfig',
  'KMSKeyArn',
  'FileSystemConfigs',
  'ImageConfig',
  'SnapStart',
  'TenancyConfig',
  'CapacityProviderConfig',
] as const;

/** The model allows more memory, for functions on capacity providers. */
function checkMemory(memoryMib: number | undefined): number | undefined {
  const { max } = QUOTAS.memoryMib;
  if (memoryMib !== undefined && memoryMib > max) {
    throw new ServiceError(
      'InvalidParameterValueException',
      `'MemorySize' value failed to satisfy constraint: Member must have value less than or equal to ${max}`,
    );
  }
  return memoryMib;
}
