/** The context of a resource provider whose calls go through AWS's SDK to a running service, as a client's would. */

import type { ResourceContext, ResourceProvider } from '../../src/stacks/providers/provider.ts';
import { OperationFailure, type OperationMembers } from '../../src/wire/api-call.ts';
import { ServiceCallFailure } from '../../src/wire/service-call.ts';

type Sdk = Readonly<Record<string, unknown>>;
export type SdkClient = { readonly client: { send(command: never): Promise<object> }; readonly sdk: Sdk };

export const TEST_SCOPE = { region: 'us-east-1', account: '123456789012' };

/** `clients` by the service's name. */
export function providerContext(
  clients: Readonly<Record<string, SdkClient>>,
  type: string,
  logicalId = 'Resource',
): ResourceContext {
  return {
    scope: TEST_SCOPE,
    stack: { id: 'arn:aws:cloudformation:us-east-1:123456789012:stack/shop/1', name: 'shop' },
    logicalId,
    type,
    token: 'token',
    signal: new AbortController().signal,
    async call(service, operation, input): Promise<OperationMembers> {
      const { client, sdk } = clients[service] ?? {};
      const Command = sdk?.[`${operation}Command`] as (new (input: object) => never) | undefined;
      if (client === undefined || Command === undefined) throw new Error(`no client for ${service} ${operation}`);
      try {
        return (await client.send(new Command(withBytes(input)))) as OperationMembers;
      } catch (failure) {
        const { name, message, $metadata } = failure as Error & { $metadata?: { httpStatusCode?: number } };
        const cause = new OperationFailure(name, $metadata?.httpStatusCode ?? 500, message);
        throw new ServiceCallFailure(service, operation, cause, 'request');
      }
    },
    created: () => undefined,
    wait: async () => undefined,
  };
}

/** SDKs take blobs as bytes. */
function withBytes(input: OperationMembers): OperationMembers {
  return typeof input.body === 'string' ? { ...input, body: Buffer.from(input.body, 'base64') } : input;
}

export function providerOf(providers: readonly ResourceProvider[], type: string): ResourceProvider {
  const provider = providers.find((candidate) => candidate.type === type);
  if (provider === undefined) throw new Error(`no provider for ${type}`);
  return provider;
}
