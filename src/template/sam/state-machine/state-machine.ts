/**
 * AWS::Serverless::StateMachine: the state machine, its role, version and alias, and what its events make.
 * https://docs.aws.amazon.com/serverless-application-model/latest/developerguide/sam-resource-statemachine.html
 */
import { copy, type Json, type JsonObject } from '../../tree.ts';
import {
  BOOLEAN,
  expectMap,
  isMap,
  listOf,
  MAP,
  mapOf,
  oneOf,
  optional,
  PASSED,
  type PropertyTable,
  STRING,
  strict,
} from '../checks.ts';
import type { EventKind, EventTarget, ResourceKind, SamContext, Translation } from '../context.ts';
import { InvalidResource } from '../errors.ts';
import { linkEvents } from '../events/events.ts';
import { SCHEDULE_V2 } from '../events/schedule-v2.ts';
import { getAtt } from '../intrinsics.ts';
import { isTruthy, pythonStr } from '../python.ts';
import { arnOf, type CfnResource, cfnResource, propagateTags, refOf, type SamResource, tagList } from '../resources.ts';
import { assumeRolePolicy, executionRole, expandPolicyTemplates, xrayPolicy } from '../roles.ts';
import { parseS3Uri } from '../s3-location.ts';
import { definitionString, takeOutIntrinsics } from './definition.ts';
import { STATE_MACHINE_EVENTS } from './events.ts';

const PROPERTIES: PropertyTable = {
  Definition: optional(MAP),
  DefinitionUri: optional(oneOf(STRING, MAP)),
  Logging: optional(MAP),
  Role: optional(STRING),
  RolePath: PASSED,
  DefinitionSubstitutions: optional(MAP),
  Events: optional(mapOf(MAP)),
  Name: optional(STRING),
  Type: optional(STRING),
  Tags: optional(MAP),
  PropagateTags: optional(BOOLEAN),
  Policies: optional(oneOf(STRING, listOf(oneOf(STRING, MAP)))),
  Tracing: optional(MAP),
  PermissionsBoundary: optional(STRING),
  AutoPublishAlias: PASSED,
  DeploymentPreference: PASSED,
  UseAliasAsEventTarget: strict(BOOLEAN),
};

/** @param apiEvents Api */
export function stateMachineKind(apiEvents: Readonly<Record<string, EventKind>>): ResourceKind {
  const eventKinds = new Map(Object.entries({ ...STATE_MACHINE_EVENTS, ...apiEvents, ScheduleV2: SCHEDULE_V2 }));
  return {
    type: 'AWS::Serverless::StateMachine',
    properties: PROPERTIES,
    prepare: expandPolicyTemplates,
    translate: (resource, context) => translate(resource, context, eventKinds),
  };
}

function translate(
  resource: SamResource,
  context: SamContext,
  eventKinds: ReadonlyMap<string, EventKind>,
): Translation {
  const { logicalId, properties, passedAttributes } = resource;
  const events = linkEvents(resource, eventKinds, context);
  const machine = cfnResource('AWS::StepFunctions::StateMachine', logicalId, resource.attributes);
  machine.dependsOn = resource.dependsOn;
  setDefinition(resource, machine);
  const resources = [machine];
  if (isTruthy(properties.Role) && isTruthy(properties.Policies)) {
    const problem = "Specify either 'Role' or 'Policies' (but not both at the same time) or neither of them";
    throw new InvalidResource(logicalId, problem);
  }
  if (isTruthy(properties.Role)) {
    machine.properties.RoleArn = properties.Role;
  } else {
    const role = roleOf(resource, context);
    machine.properties.RoleArn = arnOf(role);
    resources.push(role);
  }
  machine.properties.StateMachineName = properties.Name;
  machine.properties.StateMachineType = properties.Type;
  machine.properties.LoggingConfiguration = properties.Logging;
  machine.properties.TracingConfiguration = properties.Tracing;
  machine.properties.Tags = tagsOf(resource);
  const published = publishedAlias(resource, machine);
  resources.push(...published);
  const [, alias] = published;
  const isAliasTarget = isTruthy(properties.UseAliasAsEventTarget) && alias !== undefined;
  const target = targetOf(isAliasTarget ? alias : machine, passedAttributes, properties.PermissionsBoundary);
  // Errors of these events stand alone in AWS's translator; those of functions' events name the function
  resources.push(...events.flatMap((event) => [...event.translate(target)]));
  propagateTags(resources, properties.Tags, isTruthy(properties.PropagateTags));
  return { resources };
}

function targetOf(made: CfnResource, passedAttributes: JsonObject, permissionsBoundary: Json | undefined): EventTarget {
  return {
    logicalId: made.logicalId,
    type: 'AWS::StepFunctions::StateMachine',
    name: refOf(made),
    arn: refOf(made),
    attributes: made.attributes,
    passedAttributes,
    role: undefined,
    permissionsBoundary,
  };
}

function setDefinition(resource: SamResource, machine: CfnResource): void {
  const { logicalId, properties } = resource;
  const { Definition, DefinitionUri, DefinitionSubstitutions } = properties;
  if (isTruthy(DefinitionSubstitutions)) machine.properties.DefinitionSubstitutions = DefinitionSubstitutions;
  if (isTruthy(Definition) && isTruthy(DefinitionUri)) {
    const problem = "Specify either 'Definition' or 'DefinitionUri' property and not both.";
    throw new InvalidResource(logicalId, problem);
  }
  if (isTruthy(Definition)) {
    const definition = copy(Definition as JsonObject);
    const substitutions = takeOutIntrinsics(definition);
    if (isTruthy(substitutions)) {
      const given = isMap(DefinitionSubstitutions) ? DefinitionSubstitutions : {};
      machine.properties.DefinitionSubstitutions = { ...given, ...substitutions };
    }
    machine.properties.DefinitionString = definitionString(definition);
  } else if (isTruthy(DefinitionUri)) {
    machine.properties.DefinitionS3Location = definitionLocation(logicalId, DefinitionUri as Json);
  } else {
    throw new InvalidResource(logicalId, "Either 'Definition' or 'DefinitionUri' property must be specified.");
  }
}

function definitionLocation(logicalId: string, uri: Json): JsonObject {
  let place: JsonObject | undefined = parseS3Uri(uri);
  if (isMap(uri)) {
    if (!isTruthy(uri.Bucket) || !isTruthy(uri.Key)) {
      const problem = "'DefinitionUri' requires Bucket and Key properties to be specified.";
      throw new InvalidResource(logicalId, problem);
    }
    place = uri;
  }
  if (place === undefined) {
    const form = "of the form 's3://bucket/key' with optional versionId query parameter.";
    throw new InvalidResource(logicalId, `'DefinitionUri' is not a valid S3 Uri ${form}`);
  }
  const { Bucket, Key, Version } = place;
  return { Bucket: Bucket as Json, Key: Key as Json, ...('Version' in place ? { Version: Version as Json } : {}) };
}

const tagsOf = ({ properties }: SamResource): Json[] => [
  { Key: 'stateMachine:createdBy', Value: 'SAM' },
  ...tagList(properties.Tags),
];

function roleOf(resource: SamResource, context: SamContext): CfnResource {
  const { logicalId, properties, passedAttributes } = resource;
  const given = properties.Policies;
  const policies: Json[] = Array.isArray(given) ? [...given] : isTruthy(given) ? [given as Json] : [];
  if (isMap(properties.Tracing) && properties.Tracing.Enabled === true) policies.push(xrayPolicy(context.partition));
  return executionRole(logicalId, {
    partition: context.partition,
    managedPolicies: context.managedPolicies,
    attributes: passedAttributes,
    assumeRolePolicy: assumeRolePolicy('states'),
    policies,
    path: properties.RolePath,
    permissionsBoundary: properties.PermissionsBoundary,
    tags: tagsOf(resource),
  });
}

/** The version and the alias, if there is an AutoPublishAlias. */
function publishedAlias(resource: SamResource, machine: CfnResource): CfnResource[] {
  const { logicalId, properties, passedAttributes } = resource;
  const { AutoPublishAlias, DeploymentPreference, UseAliasAsEventTarget } = properties;
  if (!isTruthy(AutoPublishAlias)) {
    const needs = (name: string): never => {
      throw new InvalidResource(logicalId, `'${name}' requires 'AutoPublishAlias' property to be specified.`);
    };
    if (isTruthy(UseAliasAsEventTarget)) needs('UseAliasAsEventTarget');
    return isTruthy(DeploymentPreference) ? needs('DeploymentPreference') : [];
  }
  const version = cfnResource(
    'AWS::StepFunctions::StateMachineVersion',
    `${logicalId}Version`,
    { DeletionPolicy: 'Retain', UpdateReplacePolicy: 'Retain', ...passedAttributes },
    {
      StateMachineArn: refOf(machine),
      StateMachineRevisionId: getAtt(logicalId, 'StateMachineRevisionId'),
    },
  );
  const preference = isTruthy(DeploymentPreference)
    ? expectMap(DeploymentPreference, { resource: logicalId, path: 'DeploymentPreference' })
    : { Type: 'ALL_AT_ONCE' };
  const aliasId = `${logicalId}Alias${pythonStr(AutoPublishAlias)}`;
  const alias = cfnResource('AWS::StepFunctions::StateMachineAlias', aliasId, passedAttributes, {
    Name: AutoPublishAlias,
    DeploymentPreference: { ...preference, StateMachineVersionArn: refOf(version) },
  });
  return [version, alias];
}
