/**
 * A template as the engine sees it: resources with their dependencies, whose properties and outputs can be resolved once
 * the resources that they refer to exist. `../desired-stack-of.ts` makes it from a template.
 */
import type { CreationPolicy, Json, Properties } from '../providers/provider.ts';
import type { DeletionPolicy, StackOutput } from '../stack.ts';

export type DesiredResource = {
  readonly logicalId: string;
  readonly type: string;
  /** DependsOn and references, without resources that a condition leaves out. */
  readonly dependsOn: readonly string[];
  readonly deletionPolicy: DeletionPolicy;
  readonly updateReplacePolicy: DeletionPolicy;
  readonly metadata?: Json;
  readonly creationPolicy?: CreationPolicy;
};

/** The resources that exist already. */
export type ExistingResources = {
  /** What Ref returns; undefined if the resource does not exist. */
  physicalId(logicalId: string): string | undefined;
  /** What GetAtt returns. @throws ResourceFailure for an attribute that the type does not have */
  attribute(logicalId: string, name: string): Json | undefined;
};

/** With `attribute` to one of a resource, otherwise to its physical id or to a parameter's value. */
export type Reference = {
  readonly kind: 'parameter' | 'resource';
  readonly name: string;
  readonly attribute?: string | undefined;
};

export type DesiredStack = {
  readonly resources: ReadonlyMap<string, DesiredResource>;
  /** @throws TemplateError or ResourceFailure when a function cannot be resolved */
  properties(logicalId: string, existing: ExistingResources): Properties;
  /** @throws TemplateError or ResourceFailure when a function cannot be resolved */
  outputs(existing: ExistingResources): readonly StackOutput[];
  /** What the value of a property refers to in the template. */
  references(logicalId: string, property: string): readonly Reference[];
  /** The exports that resolving has used so far. */
  imports(): readonly string[];
};
