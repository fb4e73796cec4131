/** Load balancers, listeners and attributes in the form of responses. */
import type { Scope } from '../../protocol/names.ts';
import type { XmlStructure, XmlValue } from '../../wire/xml.ts';
import type { Described, Listener, LoadBalancer } from './load-balancing-store.ts';

/** With the state `active`: nothing has to be started. */
export function renderBalancer(scope: Scope, balancer: LoadBalancer): XmlStructure {
  const { LoadBalancerArn, label, CreatedTime, Name, Scheme, Type, IpAddressType, SecurityGroups } = balancer;
  return {
    LoadBalancerArn,
    // Below `localhost`, as all addresses of gateways.
    DNSName: `${label}.${scope.region}.elb.localhost`,
    CanonicalHostedZoneId: 'Z35SXDOTRQ7X7K',
    CreatedTime,
    LoadBalancerName: Name,
    Scheme,
    VpcId: 'vpc-00000000000000000',
    State: { Code: 'active' },
    Type,
    AvailabilityZones: zonesOf(scope, balancer),
    SecurityGroups,
    IpAddressType,
  };
}

/** A zone for each subnet. */
export function zonesOf({ region }: Scope, { Subnets = [], SubnetMappings = [] }: LoadBalancer): XmlValue {
  const subnets = [...Subnets, ...SubnetMappings.flatMap(({ SubnetId }) => (SubnetId === undefined ? [] : [SubnetId]))];
  return subnets.map((SubnetId, index) => ({
    ZoneName: `${region}${'abcdef'[index % 6]}`,
    SubnetId,
    LoadBalancerAddresses: [],
  }));
}

export function renderListener({ attributes: _, tags: __, ...listener }: Listener): XmlStructure {
  return listener as unknown as XmlStructure;
}

export function renderAttributes({ attributes }: Described): XmlStructure {
  return { Attributes: Object.entries(attributes).map(([Key, Value]) => ({ Key, Value })) };
}
