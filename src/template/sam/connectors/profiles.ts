/** The profiles of connectors: what a source needs to use a destination, or the other way round. */
import { renderArn } from '../../../protocol/arn.ts';
import type { Json, JsonObject } from '../../tree.ts';
import { sub } from '../intrinsics.ts';
import { CONNECTOR_PROFILES } from './profile-table.ts';

export interface Profile {
  readonly kind: 'role-of-source' | 'role-of-destination' | 'queue' | 'topic' | 'permission';
  readonly waits: 'mapping' | 'source' | undefined;
  /** Allowed combinations of permissions; undefined if all are. */
  readonly combinations: readonly (readonly string[])[] | undefined;
  /** Permission -> its lines, in order. */
  readonly permissions: ReadonlyMap<string, readonly string[]>;
}

let parsed: ReadonlyMap<string, Profile> | undefined;

/** The profile of two types of CloudFormation; undefined if they cannot be connected. */
export function profileOf(source: string, destination: string): Profile | undefined {
  parsed ??= parseTable(CONNECTOR_PROFILES);
  return parsed.get(`${source} > ${destination}`);
}

function parseTable(table: string): ReadonlyMap<string, Profile> {
  const profiles = new Map<string, Profile>();
  let permissions = new Map<string, string[]>();
  for (const line of table
    .trim()
    .replace(/\n {6}/g, ' ')
    .split('\n')) {
    const [, permission = '', rest = ''] = /^ {2}(\S+) (.*)$/.exec(line) ?? [];
    if (permission !== '') {
      permissions.set(permission, [...(permissions.get(permission) ?? []), rest]);
      continue;
    }
    const [, types = '', kind, waits, only] = /^(\S+ > \S+) (\S+)(?: before-(\S+))?(?: only (.*))?$/.exec(line) ?? [];
    permissions = new Map();
    profiles.set(types, {
      kind: kind as Profile['kind'],
      waits: waits as Profile['waits'],
      combinations: only?.split(' ').map((each) => each.split('+')),
      permissions,
    });
  }
  return profiles;
}

/** What the names in braces stand for: `Source.Arn` and the like. */
export type Variables = ReadonlyMap<string, Json | undefined>;

/** A name in braces has no value. The message is the translator's. */
export class MissingVariable extends Error {}

/** The statements of a permission of a policy. @throws MissingVariable */
export function statementsOf(profile: Profile, permission: string, variables: Variables): JsonObject[] {
  const lines = profile.permissions.get(permission) ?? [];
  return lines.map((line) => {
    if (profile.kind === 'queue' || profile.kind === 'topic') return resourceStatement(line, variables);
    const [, service, actions = '', resources = ''] = /^(\S+): (.*) @ (.*)$/.exec(line) ?? [];
    return {
      Effect: 'Allow',
      Action: actions.split(' ').map((action) => `${service}:${action}`),
      Resource: resources.split(' ').map((resource) => fill(resource, variables)),
    };
  });
}

function resourceStatement(line: string, variables: Variables): JsonObject {
  const [service, action = ''] = line.split(' ');
  return {
    Effect: 'Allow',
    Principal: { Service: `${service}.amazonaws.com` },
    Resource: fill('{Destination.Arn}', variables),
    Action: action,
    Condition: { ArnEquals: { 'aws:SourceArn': fill('{Source.Arn}', variables) } },
  };
}

/** The properties of a permission but the function. @throws MissingVariable */
export function lambdaPermissionOf(profile: Profile, permission: string, variables: Variables): JsonObject {
  const [service, source = '', account] = (profile.permissions.get(permission)?.[0] ?? '').split(' ');
  return {
    Action: 'lambda:InvokeFunction',
    Principal: `${service}.amazonaws.com`,
    SourceArn: fill(source, variables),
    ...(account === undefined ? {} : { SourceAccount: sub('${AWS::AccountId}') }),
  };
}

/** `{Source.Arn}` alone is its value; inside other text it becomes a variable of an `Fn::Sub`. */
function fill(notation: string, variables: Variables): Json {
  const used: JsonObject = {};
  const given = (name: string): Json => {
    const value = variables.get(name);
    if (value === undefined || value === null) throw new MissingVariable(`${name} is missing.`);
    return value;
  };
  const whole = /^\{([\w.]+)\}$/.exec(notation)?.[1];
  if (whole !== undefined) return given(whole);
  const text = notation.replace(/\{([\w.]+)\}/g, (_, name: string) => {
    const variable = name.replace('.', '');
    used[variable] = given(name);
    return `\${${variable}}`;
  });
  const [, service, resource] = /^([a-z0-9-]+)::(.*)$/.exec(text) ?? [];
  if (service === undefined || resource === undefined) return sub(text, used);
  const arn = renderArn({
    partition: '${AWS::Partition}',
    service,
    region: '${AWS::Region}',
    account: '${AWS::AccountId}',
    resource,
  });
  return sub(arn, used);
}
