/**
 * The transform AWS::Serverless-2016-10-31: replaces the resources of SAM in a template by those of CloudFormation that AWS's
 * translator makes, with the same logical ids, and reports the same errors. It knows a template as plain JSON; places in the text are
 * the reader's.
 *
 * The order is the translator's, as kinds change each other's resources: implicit APIs, Globals, functions and state machines (whose
 * events change APIs), APIs, the others, connectors (which see what the others made).
 */
import { partitionOf } from '../../protocol/arn.ts';
import { copy, type Json, type JsonObject } from '../tree.ts';
import { createApis } from './api/apis.ts';
import { APPLICATION, resolveApplications } from './application.ts';
import { CAPACITY_PROVIDER } from './capacity-provider.ts';
import { checkProperties, expectMap, isMap, member } from './checks.ts';
import { CONNECTOR } from './connectors/connector.ts';
import { expandConnectors } from './connectors/embedded.ts';
import type { Apis, ResourceKind, SamContext, Translation } from './context.ts';
import { type DeploymentPreferences, deploymentResources } from './deployments.ts';
import { DuplicateLogicalId, InvalidDocument, InvalidResource, InvalidTemplate, TransformError } from './errors.ts';
import { functionEventKinds } from './events/function-events.ts';
import { functionKind } from './function/function.ts';
import { fixOpenApiVersions, mergeGlobals } from './globals.ts';
import { GRAPHQL_API } from './graphql/graphql-api.ts';
import {
  mappingResolver,
  parameterResolver,
  renameResources,
  resolveSamReferences,
  type SamReferences,
  setMember,
} from './intrinsics.ts';
import { LAYER_VERSION } from './layer-version.ts';
import { isTruthy, pythonStr } from './python.ts';
import { attributesOf, type CfnResource, checkLogicalId, renderResource, type SamResource } from './resources.ts';
import { SIMPLE_TABLE } from './simple-table.ts';
import { stateMachineKind } from './state-machine/state-machine.ts';

export interface TransformOptions {
  /** Where the stack is; decides on what differs between partitions. */
  readonly region: string;
  readonly partition?: string;
  /** Values of the template's parameters; the defaults of others count too. Others are allowed. */
  readonly parameters: Readonly<Record<string, Json>>;
  /** ARNs by name for managed policies that are not AWS's. */
  readonly managedPolicies?: ReadonlyMap<string, string>;
  /**
   * The address of the template of an application of the Serverless Application Repository. Without it such applications are
   * refused.
   *
   * @throws Error whose message becomes that of the resource
   */
  readonly serverlessApplication?: (applicationId: string, semanticVersion: string) => string;
}

/**
 * @param source the template with long forms of functions (`Fn::GetAtt`, not `!GetAtt`); it is not changed
 * @returns the template without SAM's resources, without Transform and Globals
 * @throws InvalidDocument with all errors, ordered by logical id
 */
export function transformSam(source: JsonObject, options: TransformOptions): JsonObject {
  const template = copy(source);
  checkStructure(template);
  const parameters = parameterValues(template, options);
  const mappings = sectionOf(template, 'Mappings');
  const apis = createApis();
  const keysOf = apis.keysOf(template);
  const errors: TransformError[] = [];
  resolveApplications(
    template,
    parameterResolver(parameters),
    mappingResolver(mappings),
    options.serverlessApplication,
  );
  apis.prepare(template);
  mergeGlobals(template, apis.merged);
  fixOpenApiVersions(template);
  expandConnectors(template, errors);
  const output = copy(template);
  const context: SamContext = {
    region: options.region,
    partition: String(parameters.get('AWS::Partition')),
    template,
    resources: template.Resources as JsonObject,
    outputResources: output.Resources as JsonObject,
    conditions: isMap(output.Conditions) ? output.Conditions : undefined,
    resolveParameters: parameterResolver(parameters),
    resolveMappings: mappingResolver(mappings),
    managedPolicies: options.managedPolicies ?? new Map(),
    deployments: new Map() as DeploymentPreferences,
    listItems: new WeakMap(),
    keysOf,
  };
  const references: SamReferences = new Map();
  const renamed = new Map<string, string>();
  for (const { logicalId, kind } of ordered(context, kindsOf(apis))) {
    gather(errors, () => {
      const translation = translateResource(logicalId, kind, context, apis);
      if (translation.renamed !== undefined) renamed.set(logicalId, translation.renamed);
      noteReferences(references, translation.renamed ?? logicalId, kind, translation.resources);
      delete context.outputResources[logicalId];
      for (const resource of translation.resources) write(logicalId, resource, context, errors);
    });
  }
  const report = (error: TransformError): number => errors.push(error);
  for (const resource of deploymentResources(context.deployments, context.partition, context.conditions, report)) {
    context.outputResources[resource.logicalId] = renderResource(resource);
  }
  gather(errors, () => apis.finish(output));
  if (errors.length > 0) throw new InvalidDocument(errors);
  delete output.Transform;
  renameResources(output, renamed);
  resolveSamReferences(output, references);
  // Generated resources share parts (tags, attributes): the caller gets a tree
  return copy(output);
}

/** @throws InvalidDocument for the first error in the structure that the transform needs */
function checkStructure(template: JsonObject): void {
  const refuse = (problem: string): never => {
    throw new InvalidDocument([new InvalidTemplate(problem)]);
  };
  const resources = template.Resources;
  if (!isMap(resources) || !isTruthy(resources)) {
    refuse("'Resources' section is required");
    return;
  }
  if (!Object.values(resources).every(isMap)) {
    refuse("All 'Resources' must be Objects. If you're using YAML, this may be an indentation issue.");
  }
  for (const [logicalId, resource] of Object.entries(resources) as [string, JsonObject][]) {
    if (isTruthy(resource.Condition) && typeof resource.Condition !== 'string') {
      refuse('Every Condition member must be a string.');
    }
    if (typeof resource.Type !== 'string' || !PROPERTY_TYPES.has(resource.Type)) continue;
    const properties = 'Properties' in resource ? resource.Properties : {};
    atOnce(() => expectMap(properties, { attribute: logicalId, path: 'Properties' }));
  }
}

/** SAM's types but connectors and GraphQL APIs, whose properties are checked later. */
const PROPERTY_TYPES = new Set(
  'Api Function SimpleTable Application LayerVersion HttpApi WebSocketApi StateMachine CapacityProvider'
    .split(' ')
    .map((name) => `AWS::Serverless::${name}`),
);

/** The error becomes that of the document. */
function atOnce<T>(act: () => T): T {
  try {
    return act();
  } catch (error) {
    throw error instanceof TransformError ? new InvalidDocument([error]) : error;
  }
}

/** The error is noted, and the work goes on. */
function gather(errors: TransformError[], act: () => void): void {
  try {
    act();
  } catch (error) {
    if (!(error instanceof TransformError)) throw error;
    errors.push(error);
  }
}

function parameterValues(template: JsonObject, options: TransformOptions): Map<string, Json> {
  const values = new Map(Object.entries(options.parameters));
  for (const [name, definition] of Object.entries(isMap(template.Parameters) ? template.Parameters : {})) {
    if (!values.has(name) && isMap(definition) && 'Default' in definition) {
      values.set(name, definition.Default as Json);
    }
  }
  if (!values.has('AWS::Region')) values.set('AWS::Region', options.region);
  if (!values.has('AWS::Partition')) {
    values.set('AWS::Partition', options.partition ?? partitionOf(options.region));
  }
  return values;
}

function sectionOf(template: JsonObject, name: string): JsonObject {
  const section = name in template ? template[name] : {};
  if (isMap(section)) return section;
  const problem = "'Mappings' or 'Parameters' is either null or not a valid dictionary.";
  throw new InvalidDocument([new InvalidTemplate(problem)]);
}

function kindsOf(apis: Apis): ReadonlyMap<string, ResourceKind> {
  const kinds = [
    functionKind(functionEventKinds(apis.functionEvents)),
    stateMachineKind(apis.stateMachineEvents),
    ...apis.resourceKinds,
    APPLICATION,
    CAPACITY_PROVIDER,
    CONNECTOR,
    GRAPHQL_API,
    LAYER_VERSION,
    SIMPLE_TABLE,
  ];
  return new Map(kinds.map((kind) => [kind.type, kind]));
}

/** What is translated before the others, and what after them. */
const ORDER: readonly (readonly string[])[] = [
  ['AWS::Serverless::Function'],
  ['AWS::Serverless::StateMachine'],
  ['AWS::Serverless::Api', 'AWS::Serverless::HttpApi', 'AWS::Serverless::WebSocketApi'],
  [],
  ['AWS::Serverless::Connector'],
];
const OTHERS = 3;

interface Task {
  readonly logicalId: string;
  readonly kind: ResourceKind;
}

function ordered({ resources, keysOf }: SamContext, kinds: ReadonlyMap<string, ResourceKind>): Task[] {
  const groups: Task[][] = ORDER.map(() => []);
  for (const logicalId of keysOf(resources)) {
    const type = (resources[logicalId] as JsonObject).Type;
    const kind = typeof type === 'string' ? kinds.get(type) : undefined;
    if (kind === undefined) continue;
    const group = ORDER.findIndex((types) => types.includes(kind.type));
    groups[group === -1 ? OTHERS : group]?.push({ logicalId, kind });
  }
  return groups.flat();
}

function translateResource(logicalId: string, kind: ResourceKind, context: SamContext, apis: Apis): Translation {
  const definition = context.resources[logicalId] as JsonObject;
  checkLogicalId(logicalId);
  const properties = definition.Properties ?? ('Properties' in definition ? null : {});
  if (!isMap(properties)) throw new InvalidResource(logicalId, 'Properties of a resource must be an object.');
  kind.prepare?.(logicalId, properties);
  checkProperties(logicalId, kind.type, properties, kind.properties, kind.allowsOthers);
  apis.beforeResource(definition, context);
  const resource: SamResource = {
    logicalId,
    type: kind.type,
    properties,
    dependsOn: definition.DependsOn,
    ...attributesOf(definition),
  };
  return kind.translate(resource, context);
}

/** `F.Alias` stands for the last generated resource of the type. */
function noteReferences(
  references: SamReferences,
  logicalId: string,
  kind: ResourceKind,
  resources: readonly CfnResource[],
): void {
  const byType = new Map(resources.map((resource) => [resource.type, resource.logicalId]));
  for (const [name, type] of Object.entries(kind.references ?? {})) {
    const found = byType.get(type);
    if (found === undefined) continue;
    const own = references.get(logicalId) ?? new Map<string, string>();
    references.set(logicalId, own.set(name, found));
  }
}

/** Types of generated resources that may take the place of a resource of the template, by what that one may be. */
const REPLACED_TYPES: Readonly<Record<string, readonly string[]>> = {
  'AWS::Lambda::Function': ['AWS::Serverless::Function'],
  'AWS::Lambda::LayerVersion': ['AWS::Serverless::LayerVersion'],
  'AWS::Lambda::CapacityProvider': ['AWS::Serverless::CapacityProvider'],
  'AWS::ApiGateway::RestApi': ['AWS::Serverless::Api'],
  'AWS::ApiGatewayV2::Api': ['AWS::Serverless::HttpApi', 'AWS::Serverless::WebSocketApi'],
  'AWS::S3::Bucket': ['AWS::S3::Bucket'],
  'AWS::SNS::Topic': ['AWS::SNS::Topic'],
  'AWS::DynamoDB::Table': ['AWS::Serverless::SimpleTable'],
  'AWS::CloudFormation::Stack': ['AWS::Serverless::Application'],
  'AWS::Cognito::UserPool': ['AWS::Cognito::UserPool'],
  'AWS::ApiGateway::DomainName': ['AWS::ApiGateway::DomainName'],
  'AWS::ApiGateway::BasePathMapping': ['AWS::ApiGateway::BasePathMapping'],
  'AWS::ApiGateway::DomainNameV2': ['AWS::ApiGateway::DomainNameV2'],
  'AWS::ApiGateway::BasePathMappingV2': ['AWS::ApiGateway::BasePathMappingV2'],
  'AWS::StepFunctions::StateMachine': ['AWS::Serverless::StateMachine'],
  'AWS::AppSync::GraphQLApi': ['AWS::Serverless::GraphQLApi'],
};

function write(logicalId: string, resource: CfnResource, context: SamContext, errors: TransformError[]): void {
  const existing = member(context.resources, resource.logicalId);
  const existingType = isMap(existing) ? pythonStr(existing.Type) : '';
  if (existing !== undefined && !REPLACED_TYPES[resource.type]?.includes(existingType)) {
    errors.push(new DuplicateLogicalId(logicalId, resource.logicalId, resource.type));
  } else {
    setMember(context.outputResources, resource.logicalId, renderResource(resource));
  }
}
