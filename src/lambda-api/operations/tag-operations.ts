/** Operations of the tags of functions, event source mappings and code signing configurations. */
import type { EventSourceMappings } from '../../event-sources/event-source-mappings.ts';
import type { Functions } from '../../functions/functions.ts';
import type { CodeSigning } from '../../functions/settings/code-signing.ts';
import { parseLambdaArn } from '../../protocol/arn.ts';
import type { Scope } from '../../protocol/names.ts';
import { QUOTAS } from '../../protocol/quotas.ts';
import { ServiceError } from '../../protocol/service-errors.ts';
import type { OperationHandlers } from './operation-handler.ts';
import { ForeignResource, resolveFunctionReference } from './references.ts';

type Tags = Readonly<Record<string, string>>;

/** A resource with tags. */
type Taggable = {
  readonly get: () => Tags;
  readonly add: (tags: Tags) => void;
  readonly remove: (keys: string[]) => void;
};

export function tagOperations({
  functions,
  codeSigning,
  mappings,
}: {
  functions: Pick<Functions, 'tags' | 'addTags' | 'removeTags'>;
  codeSigning: CodeSigning;
  mappings: EventSourceMappings;
}): OperationHandlers {
  function find(scope: Scope, arn: string): Taggable {
    const { scope: owner, kind, id = '' } = parseLambdaArn(arn) ?? {};
    if (kind === 'function') {
      const { name, qualifier } = resolveFunctionReference(scope, arn);
      if (qualifier !== undefined) {
        throw new ServiceError(
          'InvalidParameterValueException',
          'Tags on function aliases and versions are not supported. Please specify a function ARN.',
        );
      }
      return {
        get: () => functions.tags(scope, name),
        add: (tags) => functions.addTags(scope, name, tags),
        remove: (keys) => functions.removeTags(scope, name, keys),
      };
    }
    if (owner?.region !== scope.region || owner.account !== scope.account) throw new ForeignResource(arn);
    if (kind === 'event-source-mapping') {
      return taggable(
        () => mappingTags(mappings, scope, id, arn),
        (tags) => mappings.setTags(scope, id, tags),
      );
    }
    if (kind === 'code-signing-config') {
      return taggable(
        () => codeSigning.get(scope, arn).tags,
        (tags) => codeSigning.setTags(scope, arn, tags),
      );
    }
    const what = kind === 'capacity-provider' ? 'Capacity provider' : 'Layer';
    throw new ServiceError('ResourceNotFoundException', `${what} not found: ${arn}`);
  }

  return {
    ListTags: (input, { scope }) => ({ body: { Tags: find(scope, input.Resource).get() } }),

    TagResource(input, { scope }) {
      find(scope, input.Resource).add(input.Tags);
      return {};
    },

    UntagResource(input, { scope }) {
      find(scope, input.Resource).remove([...input.TagKeys]);
      return {};
    },
  };
}

/** A resource whose tags can only be replaced as a whole. */
function taggable(get: () => Tags, set: (tags: Tags) => void): Taggable {
  return {
    get,
    add(tags) {
      const all = { ...get(), ...tags };
      if (Object.keys(tags).length === 0) throw refusal('An error occurred and the request cannot be processed.');
      if (Object.keys(all).length > QUOTAS.tagsOfResource) throw refusal('Number of tags exceeds resource tag limit.');
      set(all);
    },
    remove(keys) {
      set(Object.fromEntries(Object.entries(get()).filter(([key]) => !keys.includes(key))));
    },
  };
}

function mappingTags(mappings: EventSourceMappings, scope: Scope, uuid: string, arn: string): Tags {
  try {
    return mappings.get(scope, uuid).tags;
  } catch (failure) {
    if (!(failure instanceof ServiceError)) throw failure;
    throw new ServiceError('ResourceNotFoundException', `Event source mapping not found: ${arn}`);
  }
}

function refusal(message: string): ServiceError {
  return new ServiceError('InvalidParameterValueException', message);
}
