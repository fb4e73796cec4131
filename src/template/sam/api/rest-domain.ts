/** The custom domain of a REST API: its name, its base paths and its records. Private domains have resources of their own. */
import type { Json, JsonObject } from '../../tree.ts';
import { expectList, expectMap, expectPresent, expectString, isMap, member } from '../checks.ts';
import { InvalidResource } from '../errors.ts';
import { getAtt, ref } from '../intrinsics.ts';
import { hashOf, isTruthy } from '../python.ts';
import { type CfnResource, cfnResource } from '../resources.ts';
import {
  type RecordedDomain,
  type RecordSetGroups,
  recordSetGroup,
  route53Of,
  separateRecordSetGroup,
} from './record-sets.ts';

/** What a domain makes. `domain` has the members that the translator adds to it: the hash of the deployment contains them. */
export interface DomainResources {
  readonly domain: JsonObject;
  readonly resources: readonly CfnResource[];
  readonly accessAssociation: CfnResource | undefined;
}

interface DomainOwner {
  readonly logicalId: string;
  readonly passedAttributes: JsonObject;
}

/** @throws InvalidResource */
export function restDomain(owner: DomainOwner, configured: Json, groups: RecordSetGroups): DomainResources {
  const { logicalId } = owner;
  const domain: JsonObject = { ...expectMap(configured, { resource: logicalId, path: 'Domain' }) };
  const name = expectPresent(member(domain, 'DomainName'), { resource: logicalId, path: 'Domain.DomainName' });
  const certificatePlace = { resource: logicalId, path: 'Domain.CertificateArn' };
  const certificate = expectPresent(member(domain, 'CertificateArn'), certificatePlace);
  return domain.EndpointConfiguration === 'PRIVATE'
    ? privateDomain(owner, domain, name, certificate, groups)
    : publicDomain(owner, domain, name, certificate, groups);
}

function publicDomain(
  owner: DomainOwner,
  domain: JsonObject,
  name: Json,
  certificate: Json,
  groups: RecordSetGroups,
): DomainResources {
  const { logicalId, passedAttributes } = owner;
  const domainId = `ApiGatewayDomainName${hashOf(name)}`;
  domain.ApiDomainName = domainId;
  if ((member(domain, 'EndpointConfiguration') ?? null) === null) domain.EndpointConfiguration = 'REGIONAL';
  const endpoint = checkedEndpoint(logicalId, domain);
  const resource = cfnResource('AWS::ApiGateway::DomainName', domainId, passedAttributes, {
    DomainName: name,
    [endpoint === 'REGIONAL' ? 'RegionalCertificateArn' : 'CertificateArn']: certificate,
    EndpointConfiguration: endpointConfiguration(domain, endpoint),
    MutualTlsAuthentication: mutualTls(logicalId, domain),
    SecurityPolicy: setting(domain, 'SecurityPolicy'),
    EndpointAccessMode: setting(domain, 'EndpointAccessMode'),
    OwnershipVerificationCertificateArn: setting(domain, 'OwnershipVerificationCertificateArn'),
  });
  if (isTruthy(domain.Policy)) {
    throw new InvalidResource(domainId, 'property Policy not defined for resource of type AWS::ApiGateway::DomainName');
  }
  const mappings = basePaths(logicalId, domain).map(({ id, path }) =>
    cfnResource('AWS::ApiGateway::BasePathMapping', id, passedAttributes, {
      DomainName: ref(domainId),
      RestApiId: ref(logicalId),
      Stage: ref(`${logicalId}.Stage`),
      BasePath: path,
    }),
  );
  const records = recordsOf(
    { apiId: logicalId, passedAttributes, domain, aliasTarget: aliasTarget(domain, domainId) },
    groups,
  );
  return { domain, resources: [resource, ...mappings, ...records], accessAssociation: undefined };
}

function privateDomain(
  owner: DomainOwner,
  domain: JsonObject,
  name: Json,
  certificate: Json,
  groups: RecordSetGroups,
): DomainResources {
  const { logicalId, passedAttributes } = owner;
  const domainId = `ApiGatewayDomainNameV2${hashOf(name)}`;
  if (isTruthy(domain.OwnershipVerificationCertificateArn)) {
    throw new InvalidResource(
      domainId,
      'property OwnershipVerificationCertificateArn not defined for resource of type AWS::ApiGateway::DomainNameV2',
    );
  }
  const resource = cfnResource('AWS::ApiGateway::DomainNameV2', domainId, passedAttributes, {
    DomainName: name,
    CertificateArn: certificate,
    EndpointConfiguration: endpointConfiguration(domain, checkedEndpoint(logicalId, domain)),
    SecurityPolicy: setting(domain, 'SecurityPolicy'),
    EndpointAccessMode: setting(domain, 'EndpointAccessMode'),
    Policy: setting(domain, 'Policy'),
  });
  const mappings = basePaths(logicalId, domain).map(({ id, path }) =>
    cfnResource('AWS::ApiGateway::BasePathMappingV2', id, passedAttributes, {
      DomainNameArn: ref(domainId),
      RestApiId: ref(logicalId),
      Stage: ref(`${logicalId}.Stage`),
      BasePath: path,
    }),
  );
  const association = (member(domain, 'AccessAssociation') ?? null) as Json;
  const accessAssociation = association === null ? undefined : domainAccess(owner, association, domainId);
  // AWS's translator takes the domain's name for its logical id here.
  const aliased = aliasTarget(domain, name as string);
  const records = recordsOf({ apiId: logicalId, passedAttributes, domain, aliasTarget: aliased }, groups);
  return { domain, resources: [resource, ...mappings, ...records], accessAssociation };
}

const setting = (domain: JsonObject, name: string): Json | undefined =>
  isTruthy(member(domain, name)) ? domain[name] : undefined;

function checkedEndpoint(logicalId: string, domain: JsonObject): string {
  const endpoint = member(domain, 'EndpointConfiguration');
  if (endpoint === 'EDGE' || endpoint === 'REGIONAL' || endpoint === 'PRIVATE') return endpoint;
  const problem = "EndpointConfiguration for Custom Domains must be one of ['EDGE', 'REGIONAL', 'PRIVATE'].";
  throw new InvalidResource(logicalId, problem);
}

function endpointConfiguration(domain: JsonObject, endpoint: string): JsonObject {
  const addressType = setting(domain, 'IpAddressType');
  return { Types: [endpoint], ...(addressType === undefined ? {} : { IpAddressType: addressType }) };
}

const TRUST_STORE = ['TruststoreUri', 'TruststoreVersion'];

function mutualTls(logicalId: string, domain: JsonObject): Json | undefined {
  const settings = setting(domain, 'MutualTlsAuthentication');
  if (settings === undefined) return undefined;
  const map = expectMap(settings, { resource: logicalId, path: 'Domain.MutualTlsAuthentication' });
  if (!Object.keys(map).every((key) => TRUST_STORE.includes(key))) {
    const problem = "Available Domain.MutualTlsAuthentication fields are ['TruststoreUri', 'TruststoreVersion'].";
    throw new InvalidResource(logicalId, problem);
  }
  return Object.fromEntries(Object.entries(map).filter(([, value]) => isTruthy(value)));
}

/** A mapping for each base path, or one without a path. */
function basePaths(logicalId: string, domain: JsonObject): { id: string; path: string | undefined }[] {
  const given = setting(domain, 'BasePath');
  const list = typeof given === 'string' ? [given] : given;
  if (!Array.isArray(list)) return [{ id: `${logicalId}BasePathMapping`, path: undefined }];
  const place = { resource: logicalId, path: 'Domain.BasePath' };
  const isNormalized = !Object.hasOwn(domain, 'NormalizeBasePath') || isTruthy(domain.NormalizeBasePath);
  return expectList(list, place)
    .map((item, at) => expectString(item, { resource: logicalId, path: `${place.path}[${at}]` }))
    .map((path) => {
      const alphanumeric = path.replace(/[^\p{L}\p{N}]/gu, '');
      // A path without letters and digits is mapped under the API's own id.
      const id = `${logicalId}${alphanumeric}BasePathMapping`;
      return { id, path: isNormalized ? alphanumeric : path };
    });
}

function recordsOf(recorded: RecordedDomain, groups: RecordSetGroups): CfnResource[] {
  const route53 = route53Of(recorded.apiId, recorded.domain);
  if (route53 === undefined) return [];
  return [separateRecordSetGroup(recorded, route53) ?? recordSetGroup(recorded, route53, groups)];
}

/** The domain of CloudFront has the hosted zone that all its distributions have. */
const CLOUDFRONT_ZONE = 'Z2FDTNDATAQYW2';

function aliasTarget(domain: JsonObject, domainId: string): (route53: JsonObject) => JsonObject {
  return (route53) => {
    const target: JsonObject = {};
    const health = member(route53, 'EvaluateTargetHealth') ?? null;
    if (health !== null) target.EvaluateTargetHealth = health;
    if (domain.EndpointConfiguration === 'REGIONAL') {
      target.HostedZoneId = getAtt(domainId, 'RegionalHostedZoneId');
      target.DNSName = getAtt(domainId, 'RegionalDomainName');
    } else if (domain.EndpointConfiguration === 'EDGE') {
      // The name becomes a part of the domain, and so of the hash of the deployment.
      route53.DistributionDomainName ??= getAtt(domainId, 'DistributionDomainName');
      target.HostedZoneId = CLOUDFRONT_ZONE;
      target.DNSName = route53.DistributionDomainName;
    } else {
      target.HostedZoneId = member(route53, 'VpcEndpointHostedZoneId') ?? null;
      target.DNSName = member(route53, 'VpcEndpointDomainName') ?? null;
    }
    return target;
  };
}

function domainAccess({ logicalId, passedAttributes }: DomainOwner, association: Json, domainId: string): CfnResource {
  const settings = expectMap(association, { resource: logicalId, path: 'Domain.AccessAssociation' });
  const endpoint = member(settings, 'VpcEndpointId') ?? null;
  const id = `DomainNameAccessAssociation${hashOf([endpoint, domainId])}`;
  return cfnResource('AWS::ApiGateway::DomainNameAccessAssociation', id, passedAttributes, {
    DomainNameArn: ref(domainId),
    AccessAssociationSourceType: 'VPCE',
    AccessAssociationSource: endpoint,
  });
}

/** Whether a domain is one that only VPC endpoints reach. */
export const isPrivateDomain = (domain: Json | undefined): boolean =>
  isMap(domain) && domain.EndpointConfiguration === 'PRIVATE';
