/** Values that templates take from the parameter store and Secrets Manager. */
import type { Scope } from '../protocol/names.ts';
import type { DynamicReference } from '../template/dynamic-references.ts';
import { type ServiceCall, ServiceCallFailure } from '../wire/service-call.ts';
import { ResourceFailure } from './providers/provider.ts';

/** Reads an object of the local S3. */
export type ReadObject = (
  bucket: string,
  key: string,
  versionId?: string,
) => Promise<{ readonly bytes: Buffer } | { readonly errorCode: string; readonly errorMessage: string }>;

/** The value of a reference; undefined if there is none. @throws ResourceFailure without the service */
export function createDynamicLookup(
  call: ServiceCall,
): (scope: Scope, reference: DynamicReference) => Promise<string | undefined> {
  return async (scope, reference) => {
    try {
      if (reference.service === 'secretsmanager') {
        const { secretId: SecretId, versionStage: VersionStage, versionId: VersionId } = reference;
        const input = { SecretId, VersionStage, VersionId };
        const { SecretString } = await call(scope, 'secretsmanager', 'GetSecretValue', input);
        return typeof SecretString === 'string' ? SecretString : undefined;
      }
      const { name, version } = reference;
      const Name = version === undefined ? name : `${name}:${version}`;
      const result = await call(scope, 'ssm', 'GetParameter', { Name, WithDecryption: true });
      const value = (result.Parameter as { readonly Value?: unknown } | undefined)?.Value;
      return typeof value === 'string' ? value : undefined;
    } catch (failure) {
      if (!(failure instanceof ServiceCallFailure)) throw failure;
      if (failure.code === 'NotImplementedException') throw new ResourceFailure(failure.message);
      return undefined;
    }
  };
}
