/** Tags of parameters. Systems Manager has tags for other resources too; here there are only parameters. */
import type { Scope } from '../../protocol/names.ts';
import { type SSM_OPERATIONS, SSM_QUOTAS } from '../../protocol/ssm-operations.ts';
import { JsonError } from '../../wire/json-protocol.ts';
import type { OperationHandlers } from '../../wire/structure.ts';
import type { ParameterStore } from './parameter-store.ts';

type TagOperations = Pick<
  typeof SSM_OPERATIONS,
  'AddTagsToResource' | 'RemoveTagsFromResource' | 'ListTagsForResource'
>;

export function createTagHandlers(parameters: ParameterStore): OperationHandlers<TagOperations, object> {
  const nameOf = (
    scope: Scope,
    { ResourceType: type, ResourceId: id }: { ResourceType: string; ResourceId: string },
  ) => {
    if (type !== 'Parameter') {
      throw new JsonError('InvalidResourceType', `${type} is not a valid resource type. Lamella has only Parameter.`);
    }
    if (parameters.find(scope, id) === undefined) {
      throw new JsonError(
        'InvalidResourceId',
        'The resource ID is not valid. Verify that you entered the correct ID and try again.',
      );
    }
    return id;
  };
  return {
    AddTagsToResource(input, { scope }) {
      const name = nameOf(scope, input);
      const added = Object.fromEntries(input.Tags.map(({ Key, Value }) => [Key, Value]));
      const tags = { ...parameters.tags(scope, name), ...added };
      if (Object.keys(tags).length > SSM_QUOTAS.tags)
        throw new JsonError('TooManyTagsError', 'Number of tags exceeded.');
      parameters.setTags(scope, name, tags);
      return {};
    },
    RemoveTagsFromResource(input, { scope }) {
      const name = nameOf(scope, input);
      const left = Object.entries(parameters.tags(scope, name)).filter(([key]) => !input.TagKeys.includes(key));
      parameters.setTags(scope, name, Object.fromEntries(left));
      return {};
    },
    ListTagsForResource(input, { scope }) {
      const tags = Object.entries(parameters.tags(scope, nameOf(scope, input)));
      return { TagList: tags.map(([Key, Value]) => ({ Key, Value })) };
    },
  };
}
