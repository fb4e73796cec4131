/** Records of Route 53 for the custom domains of APIs. APIs in one hosted zone share a `RecordSetGroup`. */
import type { Json, JsonObject } from '../../tree.ts';
import { expectBoolean, expectMap, member } from '../checks.ts';
import { InvalidResource } from '../errors.ts';
import { hashOf, isTruthy } from '../python.ts';
import { type CfnResource, cfnResource } from '../resources.ts';

/** The groups of a template by their logical ids. */
export type RecordSetGroups = Map<string, CfnResource>;

/** A custom domain, as the template describes it. */
export interface RecordedDomain {
  readonly apiId: string;
  readonly passedAttributes: JsonObject;
  readonly domain: JsonObject;
  /** Where the records point to. */
  readonly aliasTarget: (route53: JsonObject) => JsonObject;
}

/** `Route53` of a domain, checked. @throws InvalidResource */
export function route53Of(apiId: string, domain: JsonObject): JsonObject | undefined {
  const route53 = member(domain, 'Route53') ?? null;
  if (route53 === null) return undefined;
  const settings = expectMap(route53, { resource: apiId, path: 'Domain.Route53' });
  if ((settings.HostedZoneId ?? null) === null && (settings.HostedZoneName ?? null) === null) {
    const problem = 'HostedZoneId or HostedZoneName is required to enable Route53 support on Custom Domains.';
    throw new InvalidResource(apiId, problem);
  }
  return settings;
}

/** Adds the records to the group of their hosted zone, which is made if needed. */
export function recordSetGroup(recorded: RecordedDomain, route53: JsonObject, groups: RecordSetGroups): CfnResource {
  const zone = isTruthy(route53.HostedZoneId) ? route53.HostedZoneId : route53.HostedZoneName;
  const logicalId = `RecordSetGroup${hashOf(zone)}`;
  let group = groups.get(logicalId);
  if (group === undefined) {
    group = cfnResource('AWS::Route53::RecordSetGroup', logicalId, recorded.passedAttributes, {
      HostedZoneId: member(route53, 'HostedZoneId'),
      HostedZoneName: member(route53, 'HostedZoneName'),
      RecordSets: [],
    });
    groups.set(logicalId, group);
  }
  (group.properties.RecordSets as Json[]).push(...recordSets(recorded, route53));
  return group;
}

/** A group of its own, with `SeparateRecordSetGroup`; undefined without it. @throws InvalidResource */
export function separateRecordSetGroup(recorded: RecordedDomain, route53: JsonObject): CfnResource | undefined {
  const { apiId, domain } = recorded;
  if (!isTruthy(route53.SeparateRecordSetGroup)) return undefined;
  expectBoolean(route53.SeparateRecordSetGroup, { resource: apiId, path: 'Domain.Route53.SeparateRecordSetGroup' });
  const isZoneId = isTruthy(route53.HostedZoneId);
  const zone = (isZoneId ? route53.HostedZoneId : route53.HostedZoneName) as Json;
  const logicalId = `RecordSetGroup${hashOf([zone, domain.DomainName as Json])}`;
  return cfnResource('AWS::Route53::RecordSetGroup', logicalId, recorded.passedAttributes, {
    HostedZoneId: isZoneId ? zone : undefined,
    HostedZoneName: isTruthy(route53.HostedZoneName) ? route53.HostedZoneName : undefined,
    RecordSets: recordSets(recorded, route53),
  });
}

function recordSets({ domain, aliasTarget }: RecordedDomain, route53: JsonObject): Json[] {
  const record = (type: string): JsonObject => {
    const made: JsonObject = { Name: domain.DomainName as Json, Type: type, AliasTarget: aliasTarget(route53) };
    for (const name of ['Region', 'SetIdentifier']) {
      const value = member(route53, name) ?? null;
      if (value !== null) made[name] = value;
    }
    return made;
  };
  return route53.IpV6 === true ? [record('A'), record('AAAA')] : [record('A')];
}
