/**
 * Operations of reserved and provisioned concurrency, and of the account's settings. The rules are in
 * `functions/settings/concurrency-settings.ts`.
 */
import { functionNotFound } from '../../functions/function-rules.ts';
import {
  type ConcurrencySettings,
  type ProvisionedConcurrency,
  renderProvisionedArn,
} from '../../functions/settings/concurrency-settings.ts';
import type { FunctionSettings } from '../../functions/settings/open-settings.ts';
import { refuseTenantIsolated } from '../../functions/tenancy.ts';
import type { ProvisionedStatus } from '../../invocation/pool.ts';
import type { Provisioner } from '../../invocation/provisioner.ts';
import type { FunctionName, Scope } from '../../protocol/names.ts';
import { QUOTAS } from '../../protocol/quotas.ts';
import { ServiceError } from '../../protocol/service-errors.ts';
import type { OperationHandlers } from './operation-handler.ts';
import { pageRequestOf } from './operation-handler.ts';
import { resolveFunctionReference, resolveUnqualifiedName } from './references.ts';

export function concurrencyOperations({
  settings,
  provisioner,
}: {
  settings: Pick<FunctionSettings, 'concurrency' | 'directory' | 'get' | 'resolve'>;
  provisioner: Provisioner;
}): OperationHandlers {
  const { concurrency, directory } = settings;
  const statusOf = (scope: Scope, name: string, { qualifier }: ProvisionedConcurrency): ProvisionedStatus =>
    provisioner.statusOf(
      settings.resolve(scope, name as FunctionName, concurrency.preparedVersion(scope, name, qualifier)),
    );
  return {
    PutFunctionConcurrency(input, { scope }) {
      const name = resolveUnqualifiedName(scope, input.FunctionName);
      concurrency.reserve(scope, name, input.ReservedConcurrentExecutions);
      return { body: { ReservedConcurrentExecutions: input.ReservedConcurrentExecutions } };
    },

    GetFunctionConcurrency(input, { scope }) {
      const name = resolveUnqualifiedName(scope, input.FunctionName);
      if (!directory.hasFunction(scope, name)) throw functionNotFound(scope, name);
      return { body: { ReservedConcurrentExecutions: concurrency.reserved(scope, name) } };
    },

    DeleteFunctionConcurrency(input, { scope }) {
      concurrency.release(scope, resolveUnqualifiedName(scope, input.FunctionName));
      return {};
    },

    PutProvisionedConcurrencyConfig(input, { scope }) {
      const { name, qualifier } = resolveFunctionReference(scope, input.FunctionName, input.Qualifier);
      const count = input.ProvisionedConcurrentExecutions;
      if (directory.hasFunction(scope, name)) {
        refuseTenantIsolated(settings.get(scope, name), 'Provisioned concurrency is');
      }
      const { lastModified } = concurrency.provision(scope, name, qualifier ?? input.Qualifier, count);
      provisioner.reconcile();
      // Recorded on AWS: the response is sent before anything is allocated.
      return {
        body: {
          RequestedProvisionedConcurrentExecutions: count,
          AvailableProvisionedConcurrentExecutions: 0,
          AllocatedProvisionedConcurrentExecutions: 0,
          Status: 'IN_PROGRESS',
          LastModified: lastModified,
        },
      };
    },

    GetProvisionedConcurrencyConfig(input, { scope }) {
      const { name, qualifier } = resolveFunctionReference(scope, input.FunctionName, input.Qualifier);
      const found = requireProvisioned(concurrency, scope, name, qualifier ?? input.Qualifier);
      return { body: renderProvisioned(found, statusOf(scope, name, found)) };
    },

    DeleteProvisionedConcurrencyConfig(input, { scope }) {
      const { name, qualifier } = resolveFunctionReference(scope, input.FunctionName, input.Qualifier);
      concurrency.unprovision(scope, name, qualifier ?? input.Qualifier);
      provisioner.reconcile();
      return {};
    },

    ListProvisionedConcurrencyConfigs(input, { scope }) {
      const { name } = resolveFunctionReference(scope, input.FunctionName);
      const { items, nextMarker } = concurrency.listProvisioned(scope, name, pageRequestOf(input));
      return {
        body: {
          ProvisionedConcurrencyConfigs: items.map((item) => ({
            FunctionArn: renderProvisionedArn(scope, name, item),
            ...renderProvisioned(item, statusOf(scope, name, item)),
          })),
          NextMarker: nextMarker,
        },
      };
    },

    GetAccountSettings(_input, { scope }) {
      const unreserved = concurrency.unreserved(scope);
      const usage = directory.usage(scope);
      return {
        body: {
          AccountLimit: {
            TotalCodeSize: QUOTAS.codeStorageBytes,
            CodeSizeUnzipped: QUOTAS.unzippedBytes,
            CodeSizeZipped: QUOTAS.zippedBytes,
            ConcurrentExecutions: concurrency.account,
            UnreservedConcurrentExecutions: unreserved,
          },
          AccountUsage: { TotalCodeSize: usage.codeBytes, FunctionCount: usage.functions },
        },
      };
    },
  };
}

function requireProvisioned(
  concurrency: ConcurrencySettings,
  scope: Scope,
  name: string,
  qualifier: string,
): ProvisionedConcurrency {
  const found = concurrency.provisioned(scope, name, qualifier);
  if (found !== undefined) return found;
  throw new ServiceError(
    'ProvisionedConcurrencyConfigNotFoundException',
    'No Provisioned Concurrency Config found for this function',
  );
}

/** StatusReason is only set for a failure: the function did not initialize. */
function renderProvisioned(
  { requested, lastModified }: ProvisionedConcurrency,
  { allocated, status }: ProvisionedStatus,
): Record<string, unknown> {
  return {
    RequestedProvisionedConcurrentExecutions: requested,
    AvailableProvisionedConcurrentExecutions: allocated,
    AllocatedProvisionedConcurrentExecutions: allocated,
    Status: status,
    ...(status === 'FAILED' ? { StatusReason: 'FUNCTION_ERROR_INIT_FAILURE' } : {}),
    LastModified: lastModified,
  };
}
