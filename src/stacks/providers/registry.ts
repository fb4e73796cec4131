/** Which provider a resource type has. Whatever has none of its own is recorded. */
import type { ResourceProvider } from './provider.ts';
import { recordedProvider } from './recorded.ts';
import { resourceType } from './type-table.ts';

export type ProviderRegistry = {
  /** Undefined for a type that CloudFormation does not know. */
  find(type: string): ResourceProvider | undefined;
  /** Whether the type has no effect here. */
  isRecorded(type: string): boolean;
};

/** Recorded types that are meant to have no effect, and need no notice. */
const WITHOUT_EFFECT: ReadonlySet<string> = new Set(['AWS::CDK::Metadata']);

export function createRegistry(providers: readonly ResourceProvider[]): ProviderRegistry {
  const byType = new Map(providers.map((provider) => [provider.type, provider]));
  const recorded = new Map<string, ResourceProvider>();
  const acting = (type: string) =>
    byType.get(type) ?? (type.startsWith('Custom::') ? byType.get('Custom::*') : undefined);
  return {
    find(type) {
      const provider = acting(type) ?? recorded.get(type);
      if (provider !== undefined) return provider;
      // Only the transform knows them. A template without it cannot have them.
      if (type.startsWith('AWS::Serverless::')) return undefined;
      if (!WITHOUT_EFFECT.has(type) && resourceType(type) === undefined) return undefined;
      const made = recordedProvider(type);
      recorded.set(type, made);
      return made;
    },
    isRecorded: (type) => acting(type) === undefined && !WITHOUT_EFFECT.has(type),
  };
}
