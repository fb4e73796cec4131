/**
 * The provider of every type that has no effect here. It records a physical id and makes up the type's read-only
 * attributes, so that references to the resource resolve; nothing else exists. `start` names these types once for each
 * stack, and `--unsupported=fail` refuses them.
 */
import { renderRecordedArn } from '../../protocol/arn.ts';
import { createPhysicalName, randomHex, randomUpperCase } from './physical-names.ts';
import type { Json, PhysicalResource, Properties, ResourceContext, ResourceProvider } from './provider.ts';
import { resourceType } from './type-table.ts';

/** Creates the provider of one recorded type. */
export function recordedProvider(type: string): ResourceProvider {
  return {
    type,
    isRecorded: true,
    create: async (properties, context) => record(type, properties, context),
    // The identifier survives; attributes that repeat a property follow it.
    update: async ({ physicalId, attributes }, properties) => ({
      physicalId,
      attributes: Object.fromEntries(
        Object.entries(attributes).map(([name, value]) => [name, properties[name] ?? value]),
      ),
    }),
    delete: async () => undefined,
  };
}

function record(type: string, properties: Properties, context: ResourceContext): PhysicalResource {
  const table = resourceType(type);
  const id =
    identifierOf(type) ??
    createPhysicalName({ stackName: context.stack.name, logicalId: context.logicalId, maxLength: 63 });
  // A type with one identifier is known by it; several identifiers stand for themselves.
  const [identifier, ...more] = table?.identifier ?? [];
  const given = identifier === undefined ? undefined : properties[identifier];
  const isArn = identifier !== undefined && more.length === 0 && /Arn$/i.test(identifier);
  const arn = renderRecordedArn(context.scope, type, typeof given === 'string' ? given : id);
  const physicalId = typeof given === 'string' && more.length === 0 ? given : isArn ? arn : id;
  const attributes = [...(table?.attributes ?? [])].map((name) => [
    name,
    properties[name] ?? (name === identifier ? physicalId : made(name, { physicalId, arn, type, context })),
  ]);
  return { physicalId, attributes: Object.fromEntries(attributes) as Record<string, Json> };
}

/** Attributes that are lists. */
const LISTS: ReadonlySet<string> = new Set([
  'CidrBlockAssociations',
  'DnsEntries',
  'Ipv6CidrBlocks',
  'NameServers',
  'NetworkInterfaceIds',
  'SecondaryPrivateIpAddresses',
]);

/** Types whose ids other services check, with the beginning of an id. */
const PREFIXES: Readonly<Record<string, string>> = {
  'AWS::EC2::CustomerGateway': 'cgw',
  'AWS::EC2::EgressOnlyInternetGateway': 'eigw',
  'AWS::EC2::FlowLog': 'fl',
  'AWS::EC2::Instance': 'i',
  'AWS::EC2::InternetGateway': 'igw',
  'AWS::EC2::LaunchTemplate': 'lt',
  'AWS::EC2::NatGateway': 'nat',
  'AWS::EC2::NetworkAcl': 'acl',
  'AWS::EC2::NetworkInterface': 'eni',
  'AWS::EC2::RouteTable': 'rtb',
  'AWS::EC2::SecurityGroup': 'sg',
  'AWS::EC2::Subnet': 'subnet',
  'AWS::EC2::SubnetRouteTableAssociation': 'rtbassoc',
  'AWS::EC2::TransitGateway': 'tgw',
  'AWS::EC2::VPC': 'vpc',
  'AWS::EC2::VPCEndpoint': 'vpce',
  'AWS::EC2::VPCPeeringConnection': 'pcx',
  'AWS::EC2::VPNGateway': 'vgw',
  'AWS::EC2::Volume': 'vol',
  'AWS::EFS::AccessPoint': 'fsap',
  'AWS::EFS::FileSystem': 'fs',
  'AWS::EFS::MountTarget': 'fsmt',
};

/** `subnet-0a1b2c3d4e5f60718`; undefined for types that are known by a name. */
function identifierOf(type: string): string | undefined {
  const prefix = PREFIXES[type];
  return prefix === undefined ? undefined : `${prefix}-${randomHex(17)}`;
}

/** A value that looks like the attribute's: an ARN, an address below `localhost`, a URL or an id. */
function made(
  name: string,
  {
    physicalId,
    arn,
    type,
    context,
  }: { readonly physicalId: string; readonly arn: string; readonly type: string; readonly context: ResourceContext },
): Json {
  const last = name.slice(name.lastIndexOf('.') + 1);
  const host = `${physicalId.replace(/[^A-Za-z0-9-]/g, '-').toLowerCase()}.${context.scope.region}.localhost`;
  if (last === 'Arn' || last === `${type.slice(type.lastIndexOf(':') + 1)}Arn`) return arn;
  if (/Arn$/i.test(last)) return `${arn}/${last}`;
  if (/Arns$/i.test(last)) return [`${arn}/${last}`];
  if (/(Url|Uri|Endpoint)$/i.test(last)) return `http://${host}/`;
  if (/(DNSName|DomainName|Address|Host)$/i.test(last)) return host;
  if (last === 'Port') return '443';
  if (LISTS.has(last)) return [last === 'DnsEntries' ? `Z${randomUpperCase(13)}:${host}` : host];
  // Of a group itself its id, of a network its default group.
  if (last === 'GroupId') return physicalId;
  if (last === 'DefaultSecurityGroup') return identifierOf('AWS::EC2::SecurityGroup') ?? physicalId;
  if (last === 'Ref' || last === 'Id' || last === 'Name') return physicalId;
  return `${last.toLowerCase()}-${randomUpperCase(12).toLowerCase()}`;
}
