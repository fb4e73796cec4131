/** The custom domain of an HTTP or WebSocket API: its name, its mappings and its records. */
import type { Json, JsonObject } from '../../tree.ts';
import { isMap, member } from '../checks.ts';
import { InvalidResource } from '../errors.ts';
import { getAtt, ref } from '../intrinsics.ts';
import { hashOf, isTruthy, pythonStr } from '../python.ts';
import { type CfnResource, cfnResource } from '../resources.ts';
import { type RecordSetGroups, recordSetGroup, route53Of } from './record-sets.ts';

const TRUST_STORE = ['TruststoreUri', 'TruststoreVersion'];
const TRUST_STORE_TEXT = "['TruststoreUri', 'TruststoreVersion']";

/** @throws InvalidResource */
export function httpDomain(
  owner: { readonly logicalId: string; readonly passedAttributes: JsonObject },
  configured: JsonObject,
  tag: string,
  groups: RecordSetGroups,
): CfnResource[] {
  const { logicalId, passedAttributes } = owner;
  const name = member(configured, 'DomainName') ?? null;
  const certificate = member(configured, 'CertificateArn') ?? null;
  if (name === null || certificate === null) {
    const problem = 'Custom Domains only works if both DomainName and CertificateArn are provided.';
    throw new InvalidResource(logicalId, problem);
  }
  const endpoint = member(configured, 'EndpointConfiguration') ?? 'REGIONAL';
  if (endpoint !== 'REGIONAL') {
    throw new InvalidResource(logicalId, "EndpointConfiguration for Custom Domains must be one of ['REGIONAL'].");
  }
  const settings: JsonObject = { CertificateArn: certificate, EndpointType: endpoint };
  for (const property of ['OwnershipVerificationCertificateArn', 'SecurityPolicy']) {
    const value = member(configured, property);
    if (value !== undefined && isTruthy(value)) settings[property] = value;
  }
  const domainId = `ApiGatewayDomainNameV2${hashOf(name)}`;
  const domain = cfnResource('AWS::ApiGatewayV2::DomainName', domainId, passedAttributes, {
    DomainName: name,
    DomainNameConfigurations: [settings],
    MutualTlsAuthentication: mutualTls(logicalId, member(configured, 'MutualTlsAuthentication')),
    Tags: { [tag]: 'SAM' },
  });
  const mappings = mappingsOf(logicalId, member(configured, 'BasePath')).map(({ id, key }) =>
    cfnResource('AWS::ApiGatewayV2::ApiMapping', id, passedAttributes, {
      ApiId: ref(logicalId),
      DomainName: ref(domainId),
      Stage: ref(`${logicalId}.Stage`),
      ApiMappingKey: key,
    }),
  );
  return [domain, ...mappings, ...records(owner, configured, domainId, groups)];
}

function mutualTls(logicalId: string, settings: Json | undefined): Json | undefined {
  if (settings === undefined || !isTruthy(settings)) return undefined;
  if (!isMap(settings)) {
    throw new InvalidResource(
      logicalId,
      `MutualTlsAuthentication must be a map with at least one of the following fields ${TRUST_STORE_TEXT}.`,
    );
  }
  const unknown = Object.keys(settings).filter((key) => !TRUST_STORE.includes(key));
  if (unknown.length > 0) {
    // AWS's translator names the fields in place of the resource.
    throw new InvalidResource(
      unknown.sort().join(','),
      `Available MutualTlsAuthentication fields are ${TRUST_STORE_TEXT}.`,
    );
  }
  return Object.fromEntries(Object.entries(settings).filter(([, value]) => isTruthy(value)));
}

function mappingsOf(logicalId: string, basePath: Json | undefined): { id: string; key: string | undefined }[] {
  const paths = typeof basePath === 'string' && basePath !== '' ? [basePath] : basePath;
  if (!Array.isArray(paths) || paths.length === 0) return [{ id: `${logicalId}ApiMapping`, key: undefined }];
  return paths.map((path) => {
    if (typeof path !== 'string') throw new InvalidResource(logicalId, 'Basepath must be a string.');
    if (/[^0-9a-zA-Z/\-_]/.test(path)) throw new InvalidResource(logicalId, 'Invalid Basepath name provided.');
    return { id: `${logicalId}${path.replace(/[-_/]/g, '')}ApiMapping`, key: trimSlashes(path) };
  });
}

function trimSlashes(path: string): string {
  let start = 0;
  let end = path.length;
  while (start < end && path[start] === '/') start += 1;
  while (end > start && path[end - 1] === '/') end -= 1;
  return path.slice(start, end);
}

function records(
  { logicalId, passedAttributes }: { readonly logicalId: string; readonly passedAttributes: JsonObject },
  domain: JsonObject,
  domainId: string,
  groups: RecordSetGroups,
): CfnResource[] {
  const route53 = route53Of(logicalId, domain);
  if (route53 === undefined) return [];
  const aliasTarget = (): JsonObject => {
    const health = member(route53, 'EvaluateTargetHealth') ?? null;
    return {
      ...(health === null ? {} : { EvaluateTargetHealth: health }),
      HostedZoneId: getAtt(domainId, 'RegionalHostedZoneId'),
      DNSName: getAtt(domainId, 'RegionalDomainName'),
    };
  };
  // The name of a hosted zone does not count beside its id.
  const { HostedZoneName, ...rest } = route53;
  const zone = Object.hasOwn(route53, 'HostedZoneId') && isTruthy(route53.HostedZoneId) ? rest : route53;
  return [recordSetGroup({ apiId: logicalId, passedAttributes, domain, aliasTarget }, zone, groups)];
}

/** Refuses a domain that is not a map. @throws InvalidResource */
export function domainOf(logicalId: string, domain: Json | undefined): JsonObject | undefined {
  if (domain === undefined || domain === null) return undefined;
  if (!isMap(domain))
    throw new InvalidResource(logicalId, `Property 'Domain' should be a map, not ${pythonStr(domain)}.`);
  return domain;
}
