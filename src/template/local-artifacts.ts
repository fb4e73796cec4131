/**
 * Properties that may name files of this machine until a tool packages the template: `CodeUri: src/`. The SAM transform
 * and CloudFormation know only what is in S3.
 * https://docs.aws.amazon.com/cli/latest/reference/cloudformation/package.html
 */
import { copy, isObject, type JsonObject, member, section } from './tree.ts';

/** By the type of the resource. */
export const LOCAL_ARTIFACTS: Readonly<Record<string, readonly string[]>> = {
  'AWS::Serverless::Function': ['CodeUri', 'ImageUri'],
  'AWS::Serverless::LayerVersion': ['ContentUri'],
  'AWS::Serverless::Api': ['DefinitionUri'],
  'AWS::Serverless::HttpApi': ['DefinitionUri'],
  'AWS::Serverless::StateMachine': ['DefinitionUri'],
  'AWS::Serverless::GraphQLApi': ['SchemaUri', 'CodeUri'],
};

const SAMPLE_LOCATION = 's3://bucket/key';
const SAMPLE_IMAGE = '123456789012.dkr.ecr.us-east-1.amazonaws.com/image:tag';

/** A copy in which every local file of a SAM resource is one in S3, as after packaging. */
export function withSampleArtifacts(body: JsonObject): JsonObject {
  const made = copy(body);
  const globals = section(member(made, 'Globals'), 'Function');
  replaceLocal(globals, ['CodeUri']);
  for (const resource of Object.values(section(made, 'Resources'))) {
    const type = String(member(resource, 'Type'));
    if (!isObject(resource) || !Object.hasOwn(LOCAL_ARTIFACTS, type)) continue;
    const properties = member(resource, 'Properties');
    if (!isObject(properties)) continue;
    replaceLocal(properties, LOCAL_ARTIFACTS[type] ?? []);
    if (type === 'AWS::Serverless::Function') addMissingCode(properties, globals);
  }
  return made;
}

function replaceLocal(properties: JsonObject, names: readonly string[]): void {
  for (const name of names) {
    const value = properties[name];
    if (typeof value !== 'string' || value.startsWith('s3://')) continue;
    properties[name] = name === 'ImageUri' ? SAMPLE_IMAGE : SAMPLE_LOCATION;
  }
}

/** Tools package the template's own directory for a function without code, and the image that its Metadata describes. */
function addMissingCode(properties: JsonObject, globals: JsonObject): void {
  const isImage = (member(properties, 'PackageType') ?? member(globals, 'PackageType')) === 'Image';
  const names = isImage ? ['ImageUri'] : ['CodeUri', 'InlineCode'];
  const hasCode = names.some((name) => Object.hasOwn(properties, name) || Object.hasOwn(globals, name));
  if (!hasCode) properties[isImage ? 'ImageUri' : 'CodeUri'] = isImage ? SAMPLE_IMAGE : SAMPLE_LOCATION;
}
