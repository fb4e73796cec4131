/**
 * The section Globals: checks it and merges it into the resources. Scalars of the resource win; maps are merged; lists are
 * Globals' items, then the resource's.
 * https://docs.aws.amazon.com/serverless-application-model/latest/developerguide/sam-specification-template-anatomy-globals.html
 */
import { copy, type Json, type JsonObject, keepNumberTexts, numberText } from '../tree.ts';
import { isMap, member } from './checks.ts';
import type { Apis } from './context.ts';
import { InvalidDocument, InvalidResource, TransformError } from './errors.ts';
import { isIntrinsic, setMember } from './intrinsics.ts';
import { isTruthy, pythonRepr, pythonStr } from './python.ts';

/** The sections of Globals and their properties, in the order of the messages. */
const SUPPORTED: Readonly<Record<string, string>> = {
  Function:
    'Handler Runtime CodeUri DeadLetterQueue Description MemorySize Timeout VpcConfig Environment Tags PropagateTags Tracing ' +
    'KmsKeyArn AutoPublishAlias AutoPublishAliasAllProperties Layers DeploymentPreference RolePath PermissionsBoundary ' +
    'ReservedConcurrentExecutions ProvisionedConcurrencyConfig AssumeRolePolicyDocument EventInvokeConfig FileSystemConfigs ' +
    'CodeSigningConfigArn Architectures SnapStart EphemeralStorage FunctionUrlConfig RuntimeManagementConfig LoggingConfig ' +
    'RecursiveLoop SourceKMSKeyArn TenancyConfig DurableConfig CapacityProviderConfig FunctionScalingConfig ' +
    'PublishToLatestPublished VersionDeletionPolicy',
  Api:
    'Auth Name DefinitionUri CacheClusterEnabled CacheClusterSize MergeDefinitions Variables EndpointConfiguration ' +
    'MethodSettings BinaryMediaTypes MinimumCompressionSize Cors GatewayResponses AccessLogSetting CanarySetting ' +
    'TracingEnabled OpenApiVersion Domain AlwaysDeploy PropagateTags SecurityPolicy EndpointAccessMode',
  HttpApi:
    'Auth AccessLogSettings StageVariables Tags CorsConfiguration DefaultRouteSettings Domain RouteSettings FailOnWarnings ' +
    'PropagateTags',
  SimpleTable: 'SSESpecification',
  StateMachine: 'PropagateTags',
  LayerVersion: 'PublishLambdaVersion',
  CapacityProvider: 'VpcConfig OperatorRole Tags InstanceRequirements ScalingConfig KmsKeyArn PropagateTags',
  WebSocketApi:
    'AccessLogSettings ApiKeySelectionExpression DefaultRouteSettings DisableExecuteApiEndpoint DisableSchemaValidation Domain ' +
    'FailOnWarnings IpAddressType PropagateTags RouteSelectionExpression RouteSettings StageVariables Tags',
};

/** Types that Globals may have a section for. */
const PREFIX = 'AWS::Serverless::';

/**
 * Merges Globals into the resources, in place, and removes the section.
 *
 * @throws InvalidDocument for the first error in Globals, or in a resource's `IgnoreGlobals`
 */
export function mergeGlobals(template: JsonObject, noteMerge: Apis['merged'] = () => {}): void {
  const globals = readGlobals(member(template, 'Globals'));
  for (const [logicalId, resource] of Object.entries(template.Resources as JsonObject)) {
    if (!isMap(resource) || typeof resource.Type !== 'string') continue;
    const section = globals.get(resource.Type);
    if (section === undefined) continue;
    const used = usedGlobals(logicalId, section, member(resource, 'IgnoreGlobals'));
    resource.Properties = merge(used, resource.Properties ?? {}, noteMerge);
  }
  delete template.Globals;
}

/**
 * `OpenApiVersion` of the form 3.x.y in an API whose body is generated: the body gets it in place of `swagger`. The translator does it
 * after the merge, as Globals may set the version.
 */
export function fixOpenApiVersions(template: JsonObject): void {
  for (const resource of Object.values(template.Resources as JsonObject)) {
    if (!isMap(resource) || resource.Type !== 'AWS::Serverless::Api') continue;
    const properties = resource.Properties;
    if (!isMap(properties)) continue;
    const version = member(properties, 'OpenApiVersion');
    if (version === undefined || !('__MANAGE_SWAGGER' in properties)) continue;
    const text = numberText(properties, 'OpenApiVersion') ?? pythonStr(version);
    if (!/^3(\.\d)(\.\d)?$/.test(text)) continue;
    properties.OpenApiVersion = text;
    const body = properties.DefinitionBody;
    if (!isMap(body)) continue;
    body.openapi = text;
    if (isTruthy(body.swagger)) delete body.swagger;
  }
}

function readGlobals(section: Json | undefined): Map<string, JsonObject> {
  const globals = new Map<string, JsonObject>();
  if (section === undefined) return globals;
  if (!isMap(section)) throw invalid('It must be a non-empty dictionary');
  for (const [name, properties] of Object.entries(section)) {
    const names = Object.hasOwn(SUPPORTED, name) ? SUPPORTED[name]?.split(' ') : undefined;
    if (names === undefined) {
      const known = pythonRepr(Object.keys(SUPPORTED).sort());
      throw invalid(`'${name}' is not supported. Must be one of the following values - ${known}`);
    }
    // The message shows the template of a message, as AWS's does
    if (!isMap(properties)) throw invalid(['Value of $', '{section} must be a dictionary'].join(''));
    for (const property of Object.keys(properties)) {
      if (!names.includes(property)) {
        const known = pythonRepr(names);
        const problem = `'${property}' is not a supported property of '${name}'.`;
        throw invalid(`${problem} Must be one of the following values - ${known}`);
      }
    }
    globals.set(PREFIX + name, properties);
  }
  return globals;
}

function invalid(problem: string): InvalidDocument {
  return new InvalidDocument([new TransformError(`'Globals' section is invalid. ${problem}`)]);
}

function usedGlobals(logicalId: string, section: JsonObject, ignored: Json | undefined): JsonObject {
  if (!isTruthy(ignored)) return section;
  if (ignored === '*') return {};
  const problem = `Resource ${logicalId} has invalid resource attribute 'IgnoreGlobals'`;
  if (!Array.isArray(ignored)) throw new InvalidDocument([new InvalidResource(logicalId, `${problem}.`)]);
  const used = { ...section };
  for (const name of ignored) {
    if (typeof name !== 'string' || !Object.hasOwn(used, name)) {
      throw new InvalidDocument([new InvalidResource(logicalId, `${problem} on item '${pythonStr(name)}'.`)]);
    }
    delete used[name];
  }
  return used;
}

/** An intrinsic function counts as a scalar. Globals' values are copied: each resource gets its own. */
function merge(global: Json, local: Json, noteMerge: Apis['merged']): Json {
  if (Array.isArray(global) && Array.isArray(local)) return [...copy(global), ...local];
  if (!isMap(global) || !isMap(local) || isIntrinsic(global) || isIntrinsic(local)) return local;
  const merged: JsonObject = {};
  for (const [name, value] of Object.entries(global)) {
    const own = member(local, name);
    setMember(merged, name, own === undefined ? copy(value) : merge(value, own, noteMerge));
  }
  for (const [name, value] of Object.entries(local)) {
    if (!Object.hasOwn(global, name)) setMember(merged, name, value);
  }
  noteMerge(global, local, merged);
  return keepNumberTexts(local, keepNumberTexts(global, merged));
}
