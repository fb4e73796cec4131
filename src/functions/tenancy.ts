/**
 * Tenant isolation: with `TenancyConfig`, each environment of a function serves one tenant, which every invocation names.
 * It excludes function URLs, provisioned concurrency, SnapStart and event source mappings. The pool keeps the tenants'
 * environments apart. https://docs.aws.amazon.com/lambda/latest/dg/tenant-isolation.html
 */
import { ServiceError } from '../protocol/service-errors.ts';
import type { FunctionVersion } from './function.ts';

/** AWS's error for an invocation that names no tenant. */
export const TENANT_REQUIRED =
  'The invoked function is enabled with tenancy configuration. Add a valid tenant ID in your request and try again.';

type Version = Pick<FunctionVersion, 'configuration'>;

export function isTenantIsolated({ configuration }: Version): boolean {
  return configuration.stored.TenancyConfig !== undefined;
}

/** @throws ServiceError when an invocation lacks the tenant that the function requires, or names one without need */
export function checkTenant(version: Version, tenantId: string | undefined): void {
  if (isTenantIsolated(version) === (tenantId !== undefined)) return;
  throw refusal(
    tenantId === undefined
      ? TENANT_REQUIRED
      : // AWS refuses this too; its wording is not known.
        'The invoked function is not enabled with tenancy configuration. ' +
          'Remove the tenant ID from your request and try again.',
  );
}

/** @param feature in the singular or plural, as the first words of the message */
export function refuseTenantIsolated(version: Version, feature: string): void {
  if (isTenantIsolated(version)) throw refusal(`${feature} not supported for functions with tenancy configuration.`);
}

function refusal(message: string): ServiceError {
  return new ServiceError('InvalidParameterValueException', message);
}
