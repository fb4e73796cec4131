/** Tags of functions, event source mappings and code signing configurations, told apart by their ARN. */
import type { Scope } from '../../protocol/names.ts';
import { QUOTAS } from '../../protocol/quotas.ts';
import { ServiceError } from '../../protocol/service-errors.ts';
import type { LambdaApiDependencies, OperationHandlers } from './dependencies.ts';
import { ForeignResource, resolveFunctionReference } from './references.ts';

type Tags = Readonly<Record<string, string>>;

/** One tagged thing. */
type Taggable = {
  readonly get: () => Tags;
  readonly add: (tags: Tags) => void;
  readonly remove: (keys: string[]) => void;
};

export function tagOperations(dependencies: LambdaApiDependencies): OperationHandlers {
  const { functions, settings, eventSourceMappings } = dependencies;

  function find(scope: Scope, arn: string): Taggable {
    const [, , , region, account, kind, id = ''] = arn.split(':');
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
    if (region !== scope.region || account !== scope.account) throw new ForeignResource(arn);
    if (kind === 'event-source-mapping') {
      return plainly(
        () => mappingTags(dependencies, scope, id, arn),
        (tags) => eventSourceMappings.setTags(scope, id, tags),
      );
    }
    if (kind === 'code-signing-config') {
      return plainly(
        () => settings.codeSigning.get(scope, arn).tags,
        (tags) => settings.codeSigning.setTags(scope, arn, tags),
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

/** A thing whose tags are set as a whole. */
function plainly(get: () => Tags, set: (tags: Tags) => void): Taggable {
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

function mappingTags({ eventSourceMappings }: LambdaApiDependencies, scope: Scope, uuid: string, arn: string): Tags {
  try {
    return eventSourceMappings.get(scope, uuid).tags;
  } catch (failure) {
    if (!(failure instanceof ServiceError)) throw failure;
    throw new ServiceError('ResourceNotFoundException', `Event source mapping not found: ${arn}`);
  }
}

function refusal(message: string): ServiceError {
  return new ServiceError('InvalidParameterValueException', message);
}
