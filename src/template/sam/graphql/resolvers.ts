/** Functions and resolvers of a GraphQL API. */
import type { Json, JsonObject } from '../../tree.ts';
import { InvalidResource } from '../errors.ts';
import { getAtt } from '../intrinsics.ts';
import { isTruthy } from '../python.ts';
import { type CfnResource, cfnResource } from '../resources.ts';
import { type GraphqlApi, partOf } from './graphql-parts.ts';

export interface Functions {
  readonly resources: readonly CfnResource[];
  /** Function ids by their keys in the template. */
  readonly ids: ReadonlyMap<string, Json>;
  /** The source of functions with DataSource NONE. */
  readonly noneSource: CfnResource | undefined;
}

/** @throws InvalidResource, with the function's key as its id, for a function without code or source */
export function functionConfigurations(
  api: GraphqlApi,
  functions: Record<string, JsonObject>,
  sourceNames: ReadonlyMap<string, Json>,
): Functions {
  const ids = new Map<string, Json>();
  const resources: CfnResource[] = [];
  let noneSource: CfnResource | undefined;
  for (const [key, given] of Object.entries(functions)) {
    if (isTruthy(given.Id)) {
      if (Object.keys(given).length !== 1) {
        throw new InvalidResource(key, "'Id' cannot be defined with other properties in Function.");
      }
      ids.set(key, given.Id as Json);
      continue;
    }
    const code = functionCode(key, given);
    if (typeof given.DataSource === 'string' && given.DataSource.toLowerCase() === 'none') {
      noneSource ??= partOf(api, 'AWS::AppSync::DataSource', 'NoneDataSource', {
        ApiId: api.apiId,
        Name: `${api.logicalId}NoneDataSource`,
        Type: 'NONE',
      });
    }
    const made = partOf(api, 'AWS::AppSync::FunctionConfiguration', key, {
      ApiId: api.apiId,
      Name: isTruthy(given.Name) ? given.Name : key,
      ...code,
      DataSourceName: sourceName(key, given.DataSource, sourceNames, noneSource),
      MaxBatchSize: given.MaxBatchSize,
      Description: given.Description,
      Runtime: runtimeOf(key, given.Runtime as JsonObject | undefined),
      SyncConfig: isTruthy(given.Sync) ? given.Sync : undefined,
    });
    ids.set(key, getAtt(made.logicalId, 'FunctionId'));
    resources.push(made);
  }
  return { resources, ids, noneSource };
}

function functionCode(key: string, { InlineCode, CodeUri }: JsonObject): Record<string, Json | undefined> {
  if (isTruthy(InlineCode) && isTruthy(CodeUri)) throw bothCodes(key);
  if (isTruthy(InlineCode)) return { Code: InlineCode };
  if (isTruthy(CodeUri)) return { CodeS3Location: CodeUri };
  throw new InvalidResource(key, "One of 'InlineCode' or 'CodeUri' must be set.");
}

const bothCodes = (key: string): InvalidResource =>
  new InvalidResource(key, "Both 'InlineCode' and 'CodeUri' cannot be defined at the same time.");

function sourceName(
  key: string,
  source: Json | undefined,
  names: ReadonlyMap<string, Json>,
  noneSource: CfnResource | undefined,
): Json {
  if (!isTruthy(source)) throw new InvalidResource(key, "'DataSource' must be set.");
  if (typeof source !== 'string') return source as Json;
  if (source.toLowerCase() === 'none' && noneSource !== undefined) return getAtt(noneSource.logicalId, 'Name');
  const name = names.get(source);
  if (name !== undefined) return name;
  throw new InvalidResource(
    key,
    `Either define DataSource '${source}' in 'DataSources' or use intrinsic function like GetAtt, ImportValue, Sub or another one to reference a DataSource defined outside of this GraphQLApi resource.`,
  );
}

function runtimeOf(key: string, runtime: JsonObject | undefined): JsonObject {
  if (runtime === undefined) {
    throw new InvalidResource(key, `'Runtime' must be defined as a property in ${key}.`);
  }
  return { Name: runtime.Name as Json, RuntimeVersion: runtime.Version as Json };
}

/** Passes the result of the last function on. */
const PIPELINE_CODE = `
export function request(ctx) {
    return {};
}

export function response(ctx) {
    return ctx.prev.result;
}
`;

/** @throws InvalidResource, with the resolver's key as its id */
export function resolvers(
  api: GraphqlApi,
  byType: Record<string, Record<string, JsonObject>>,
  functionIds: ReadonlyMap<string, Json>,
): CfnResource[] {
  return Object.entries(byType).flatMap(([typeName, fields]) =>
    Object.entries(fields).map(([key, given]) => resolver(api, typeName, key, given, functionIds)),
  );
}

function resolver(
  api: GraphqlApi,
  typeName: string,
  key: string,
  given: JsonObject,
  functionIds: ReadonlyMap<string, Json>,
): CfnResource {
  if (isTruthy(given.CodeUri) && isTruthy(given.InlineCode)) throw bothCodes(key);
  const hasCode = isTruthy(given.CodeUri) || isTruthy(given.InlineCode);
  const runtime: JsonObject = hasCode
    ? runtimeOf(key, given.Runtime as JsonObject | undefined)
    : { Name: 'APPSYNC_JS', RuntimeVersion: '1.0.0' };
  if (!isTruthy(given.Pipeline)) {
    const advice = 'Unit resolvers are not supported. If you need a Unit resolver you can use AppSync resource.';
    throw new InvalidResource(key, `Resolver '${key}' must have Pipeline defined. ${advice}`);
  }
  const functions = (given.Pipeline as string[]).map((name) => {
    const id = functionIds.get(name);
    if (id === undefined) throw new InvalidResource(key, `Function '${name}' does not exist.`);
    return id;
  });
  const made = cfnResource('AWS::AppSync::Resolver', `${api.logicalId}${typeName}${key}`, api.attributes, {
    ApiId: api.apiId,
    Code: hasCode ? given.InlineCode : PIPELINE_CODE,
    CodeS3Location: given.CodeUri,
    Runtime: runtime,
    FieldName: isTruthy(given.FieldName) ? given.FieldName : key,
    TypeName: typeName,
    Kind: 'PIPELINE',
    PipelineConfig: { Functions: functions },
    CachingConfig: isTruthy(given.Caching) ? given.Caching : undefined,
    MaxBatchSize: isTruthy(given.MaxBatchSize) ? given.MaxBatchSize : undefined,
  });
  made.dependsOn = [`${api.logicalId}Schema`];
  return made;
}
