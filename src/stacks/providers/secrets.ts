/** AWS::SSM::Parameter and AWS::SecretsManager::Secret. */
import { pick, tagChanges, tagMap, tolerateMissing } from './members.ts';
import type { Properties, ResourceContext, ResourceProvider } from './provider.ts';

const PARAMETER_MEMBERS = ['Name', 'Description', 'Value', 'Type', 'AllowedPattern', 'Tier', 'Policies', 'DataType'];

export const ssmParameter: ResourceProvider = {
  type: 'AWS::SSM::Parameter',
  naming: { property: 'Name', maxLength: 1011, prefix: 'CFN' },
  async create(properties, context) {
    const name = String(properties.Name);
    const members = pick(properties, PARAMETER_MEMBERS);
    const Tags = tagList(properties.Tags as Readonly<Record<string, string>> | undefined);
    await context.call('ssm', 'PutParameter', { ...members, Value: String(properties.Value), Tags });
    context.created(name);
    return { physicalId: name, attributes: parameterAttributes(properties) };
  },
  async update({ physicalId, properties: before }, properties, context) {
    const members = pick(properties, PARAMETER_MEMBERS);
    await context.call('ssm', 'PutParameter', { ...members, Value: String(properties.Value), Overwrite: true });
    const { set, removed } = tagChanges(textMap(before.Tags), textMap(properties.Tags));
    const resource = { ResourceType: 'Parameter', ResourceId: physicalId };
    if (removed.length > 0) await context.call('ssm', 'RemoveTagsFromResource', { ...resource, TagKeys: removed });
    if (Object.keys(set).length > 0)
      await context.call('ssm', 'AddTagsToResource', { ...resource, Tags: tagList(set) });
    return { physicalId, attributes: parameterAttributes(properties) };
  },
  delete: ({ physicalId }, context) => tolerateMissing(context.call('ssm', 'DeleteParameter', { Name: physicalId })),
};

function parameterAttributes({ Type, Value }: Properties) {
  return { Type: String(Type), Value: String(Value) };
}

/** The tags of a parameter are a map in templates. */
function textMap(tags: Properties[string] | undefined): Record<string, string> {
  if (typeof tags !== 'object' || tags === null || Array.isArray(tags)) return tagMap(tags);
  return Object.fromEntries(Object.entries(tags).map(([key, value]) => [key, String(value)]));
}

function tagList(tags: Readonly<Record<string, string>> | undefined) {
  return Object.entries(textMap(tags)).map(([Key, Value]) => ({ Key, Value }));
}

export const secretsManagerSecret: ResourceProvider = {
  type: 'AWS::SecretsManager::Secret',
  naming: { property: 'Name', maxLength: 512 },
  async create(properties, context) {
    const SecretString = await secretText(properties, context);
    const { ARN } = await context.call('secretsmanager', 'CreateSecret', {
      ...pick(properties, ['Name', 'Description', 'KmsKeyId', 'AddReplicaRegions']),
      SecretString,
      Tags: tagList(tagMap(properties.Tags)),
    });
    context.created(String(ARN));
    return { physicalId: String(ARN), attributes: { Id: String(ARN) } };
  },
  async update({ physicalId, attributes, properties: before }, properties, context) {
    const isChanged = (name: string) => JSON.stringify(before[name]) !== JSON.stringify(properties[name]);
    const isNew = isChanged('SecretString') || isChanged('GenerateSecretString');
    await context.call('secretsmanager', 'UpdateSecret', {
      SecretId: physicalId,
      ...pick(properties, ['Description', 'KmsKeyId']),
      ...(isNew && { SecretString: await secretText(properties, context) }),
    });
    const { set, removed } = tagChanges(tagMap(before.Tags), tagMap(properties.Tags));
    const secret = { SecretId: physicalId };
    if (removed.length > 0) await context.call('secretsmanager', 'UntagResource', { ...secret, TagKeys: removed });
    if (Object.keys(set).length > 0) {
      await context.call('secretsmanager', 'TagResource', { ...secret, Tags: tagList(set) });
    }
    return { physicalId, attributes };
  },
  // CloudFormation deletes a secret without a recovery window.
  delete: ({ physicalId }, context) =>
    tolerateMissing(
      context.call('secretsmanager', 'DeleteSecret', { SecretId: physicalId, ForceDeleteWithoutRecovery: true }),
    ),
};

/** The given text, or a generated password, which can be a member of a JSON template. */
async function secretText(
  { SecretString, GenerateSecretString: rules }: Properties,
  context: ResourceContext,
): Promise<string | undefined> {
  if (SecretString !== undefined) return String(SecretString);
  if (typeof rules !== 'object' || rules === null || Array.isArray(rules)) return undefined;
  const { SecretStringTemplate: template, GenerateStringKey: key, ...given } = rules as Properties;
  const { RandomPassword } = await context.call('secretsmanager', 'GetRandomPassword', passwordRules(given));
  if (template === undefined || key === undefined) return String(RandomPassword);
  return JSON.stringify({ ...JSON.parse(String(template)), [String(key)]: RandomPassword });
}

function passwordRules(rules: Properties): Properties {
  return Object.fromEntries(
    Object.entries(rules).map(([name, value]) => {
      if (name === 'PasswordLength') return [name, Number(value)];
      return [name, value === 'true' ? true : value === 'false' ? false : value];
    }),
  );
}
