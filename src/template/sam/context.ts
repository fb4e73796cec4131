/**
 * What a kind of SAM resource or event gets and gives. `transform.ts` walks over the template and calls the kinds; it writes what
 * they return into the output. The files of a kind know each other only through this one.
 */
import type { Json, JsonObject } from '../tree.ts';
import type { PropertyTable } from './checks.ts';
import type { DeploymentPreferences } from './deployments.ts';
import type { Resolve } from './intrinsics.ts';
import type { CfnResource, SamResource } from './resources.ts';

export interface SamContext {
  readonly region: string;
  /** `aws`, `aws-cn` or `aws-us-gov` ...; for what the translator writes as text and not as `${AWS::Partition}`. */
  readonly partition: string;
  /** The template with implicit APIs, default bodies and Globals in it. Kinds edit other resources in place: an API's body. */
  readonly template: JsonObject;
  /** `template.Resources`. */
  readonly resources: JsonObject;
  /** The resources of the output as far as they are known: untranslated ones and what came out of translated ones. */
  readonly outputResources: JsonObject;
  /** The section of the output; kinds add to it. Undefined if the template has none. */
  readonly conditions: JsonObject | undefined;
  readonly resolveParameters: Resolve;
  readonly resolveMappings: Resolve;
  /** ARNs of AWS's managed policies by name. */
  readonly managedPolicies: ReadonlyMap<string, string>;
  /** The deployment preferences of the functions translated so far. */
  readonly deployments: DeploymentPreferences;
  /** The items of lists of the template as JSON, for kinds that add each item once; the kind that adds one notes it. */
  readonly listItems: WeakMap<Json[], Set<string>>;
  /** The keys of a map in the order in which the translator takes them; see `api/py27.ts`. */
  readonly keysOf: (map: JsonObject) => readonly string[];
}

/** How resources of a SAM type are translated. */
export interface ResourceKind {
  readonly type: string;
  readonly properties: PropertyTable;
  /** Other properties are ignored; without it they are an error. */
  readonly allowsOthers?: true;
  /** `!Ref F.Alias`: names that stand for the generated resource of a type. */
  readonly references?: Readonly<Record<string, string>>;
  /** Changes the properties before they are checked, in place. @throws InvalidResource or InvalidTemplate */
  readonly prepare?: (logicalId: string, properties: JsonObject) => void;
  /**
   * @returns all resources of CloudFormation that take the resource's place; the first with its logical id, or a new one
   * @throws InvalidResource, InvalidEvent or InvalidTemplate
   */
  readonly translate: (resource: SamResource, context: SamContext) => Translation;
}

export interface Translation {
  readonly resources: readonly CfnResource[];
  /** The logical id that takes the place of the resource's own in all references: of a layer. */
  readonly renamed?: string;
}

/** An event of a function or a state machine. */
export interface SamEvent {
  /** The function's logical id and the event's. */
  readonly logicalId: string;
  /** The event's id in `Events`: messages name it. */
  readonly eventId: string;
  readonly type: string;
  /** A copy of the template's map: an edit of its top level does not show in the template. */
  readonly properties: JsonObject;
}

/** What an event invokes: a function, its alias, or a state machine. */
export interface EventTarget {
  /** Of the function, alias or state machine that is invoked. */
  readonly logicalId: string;
  readonly type: 'AWS::Lambda::Function' | 'AWS::Lambda::Alias' | 'AWS::StepFunctions::StateMachine';
  /** `Ref` of a function or alias: `FunctionName` of permissions. */
  readonly name: JsonObject;
  /** `Fn::GetAtt` of a function's Arn, `Ref` of an alias or a state machine. */
  readonly arn: JsonObject;
  readonly attributes: JsonObject;
  readonly passedAttributes: JsonObject;
  /** The generated role of the function, whether or not the function uses it; events add policies to it. */
  readonly role: CfnResource | undefined;
  /** The JSON of the policy documents that events have added to the role. */
  readonly roleDocuments?: Set<string>;
  /** The state machine's PermissionsBoundary. */
  readonly permissionsBoundary?: Json | undefined;
}

/** How events of a type are translated. */
export interface EventKind {
  readonly properties: PropertyTable;
  /**
   * Finds the resources that the event names, for all events before the first is translated.
   *
   * @returns what translates the event, or throws
   * @throws InvalidEvent or InvalidResource
   */
  readonly link: (
    event: SamEvent,
    context: SamContext,
  ) => (event: SamEvent, target: EventTarget) => readonly CfnResource[];
}

/**
 * The part of `api/`: `createApis()` gives one per transform, with what resources of APIs share (usage plan, record sets of Route 53,
 * names of functions for redeployments).
 */
export interface Apis {
  /** Api, HttpApi, WebSocketApi. */
  readonly resourceKinds: readonly ResourceKind[];
  readonly functionEvents: Readonly<Record<'Api' | 'HttpApi', EventKind>>;
  readonly stateMachineEvents: Readonly<Record<'Api', EventKind>>;
  /** Before Globals: default bodies, then implicit REST API, then implicit HTTP API. @throws InvalidDocument */
  readonly prepare: (template: JsonObject) => void;
  /** Notes that `merged` is made of a map in Globals and one of a resource. */
  readonly merged: (global: JsonObject, local: JsonObject, merged: JsonObject) => void;
  /** Before each resource is translated: notes `FunctionName` of functions whose events name an API. */
  readonly beforeResource: (resource: JsonObject, context: SamContext) => void;
  /** After all resources: removes what only the transform needs. @throws InvalidDocument */
  readonly finish: (output: JsonObject) => void;
  /** Whether the translator keeps the template's maps in the order of Python 2.7, and the keys in that order. */
  readonly keysOf: (template: JsonObject) => (map: JsonObject) => readonly string[];
}
