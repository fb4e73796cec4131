/** AWS::ElasticLoadBalancingV2::*: Application Load Balancers with functions as targets. */
import { parseLoadBalancingArn } from '../../../protocol/arn.ts';
import type { OperationMembers } from '../../../wire/api-call.ts';
import { ignoreMissing, omitMembers } from '../apigateway/api-resource.ts';
import { texts } from '../members.ts';
import type { Json, Properties, ResourceContext, ResourceProvider } from '../provider.ts';

const SERVICE = 'elasticloadbalancing';
const call = (context: ResourceContext, operation: string, input: OperationMembers) =>
  context.call(SERVICE, operation, input);

function listOf(value: unknown): readonly Properties[] {
  return Array.isArray(value) ? (value as readonly Properties[]) : [];
}

/** Attributes as operations take them: values are texts. */
function attributesOf(value: Json | undefined): readonly OperationMembers[] {
  return listOf(value).map(({ Key, Value }) => ({ Key, Value: String(Value) }));
}

const loadBalancer: ResourceProvider = {
  type: 'AWS::ElasticLoadBalancingV2::LoadBalancer',
  naming: { property: 'Name', maxLength: 32 },
  async create(properties, context) {
    const names = ['Name', 'Subnets', 'SubnetMappings', 'SecurityGroups', 'Scheme', 'Tags', 'Type', 'IpAddressType'];
    const input = Object.fromEntries(Object.entries(properties).filter(([name]) => names.includes(name)));
    const [made = {}] = listOf((await call(context, 'CreateLoadBalancer', input)).LoadBalancers);
    const LoadBalancerArn = String(made.LoadBalancerArn);
    context.created(LoadBalancerArn);
    await setBalancerAttributes(LoadBalancerArn, properties, context);
    return {
      physicalId: LoadBalancerArn,
      attributes: {
        LoadBalancerArn,
        DNSName: String(made.DNSName),
        CanonicalHostedZoneID: String(made.CanonicalHostedZoneId),
        LoadBalancerName: String(made.LoadBalancerName),
        LoadBalancerFullName: fullNameOf(LoadBalancerArn),
        SecurityGroups: texts(properties.SecurityGroups),
      },
    };
  },
  async update(existing, properties, context) {
    const LoadBalancerArn = existing.physicalId;
    const { SecurityGroups, Subnets, SubnetMappings, IpAddressType } = properties;
    if (SecurityGroups !== undefined) await call(context, 'SetSecurityGroups', { LoadBalancerArn, SecurityGroups });
    if (Subnets !== undefined || SubnetMappings !== undefined) {
      await call(context, 'SetSubnets', { LoadBalancerArn, Subnets, SubnetMappings });
    }
    if (IpAddressType !== undefined) await call(context, 'SetIpAddressType', { LoadBalancerArn, IpAddressType });
    await setBalancerAttributes(LoadBalancerArn, properties, context);
    return { ...existing, attributes: { ...existing.attributes, SecurityGroups: texts(SecurityGroups) } };
  },
  delete: ({ physicalId }, context) =>
    ignoreMissing(call(context, 'DeleteLoadBalancer', { LoadBalancerArn: physicalId })),
};

async function setBalancerAttributes(LoadBalancerArn: string, properties: Properties, context: ResourceContext) {
  const Attributes = attributesOf(properties.LoadBalancerAttributes);
  if (Attributes.length > 0) await call(context, 'ModifyLoadBalancerAttributes', { LoadBalancerArn, Attributes });
}

/** `app/NAME/ID` of a load balancer, `targetgroup/NAME/ID` of a target group. */
function fullNameOf(arn: string): string {
  return (parseLoadBalancingArn(arn) ?? '').replace(/^loadbalancer\//, '');
}

/** Numbers and booleans of templates may be texts. */
function actionsOf(value: Json | undefined): Json {
  return listOf(value).map((action) => ({
    ...action,
    ...(action.Order !== undefined && { Order: Number(action.Order) }),
    ...(action.FixedResponseConfig !== undefined && {
      FixedResponseConfig: {
        ...(action.FixedResponseConfig as Properties),
        StatusCode: String((action.FixedResponseConfig as Properties).StatusCode),
      },
    }),
  }));
}

function listenerMembers(properties: Properties): OperationMembers {
  const { DefaultActions, Port, ...rest } = omitMembers(properties, ['ListenerAttributes']);
  return { ...rest, ...(Port !== undefined && { Port: Number(Port) }), DefaultActions: actionsOf(DefaultActions) };
}

const listener: ResourceProvider = {
  type: 'AWS::ElasticLoadBalancingV2::Listener',
  async create(properties, context) {
    const [made = {}] = listOf((await call(context, 'CreateListener', listenerMembers(properties))).Listeners);
    const ListenerArn = String(made.ListenerArn);
    return { physicalId: ListenerArn, attributes: { ListenerArn } };
  },
  async update(existing, properties, context) {
    const members = listenerMembers(omitMembers(properties, ['LoadBalancerArn', 'Tags']));
    await call(context, 'ModifyListener', { ...members, ListenerArn: existing.physicalId });
    return existing;
  },
  delete: ({ physicalId }, context) => ignoreMissing(call(context, 'DeleteListener', { ListenerArn: physicalId })),
};

const listenerRule: ResourceProvider = {
  type: 'AWS::ElasticLoadBalancingV2::ListenerRule',
  async create(properties, context) {
    const { Actions, Priority, ...rest } = properties;
    const input = { ...rest, Priority: Number(Priority), Actions: actionsOf(Actions) };
    const [made = {}] = listOf((await call(context, 'CreateRule', input)).Rules);
    const RuleArn = String(made.RuleArn);
    return { physicalId: RuleArn, attributes: { RuleArn, IsDefault: false } };
  },
  async update(existing, { Actions, Conditions, Priority }, context) {
    const RuleArn = existing.physicalId;
    await call(context, 'ModifyRule', { RuleArn, Conditions, Actions: actionsOf(Actions) });
    if (String(existing.properties.Priority) !== String(Priority)) {
      await call(context, 'SetRulePriorities', { RulePriorities: [{ RuleArn, Priority: Number(Priority) }] });
    }
    return existing;
  },
  delete: ({ physicalId }, context) => ignoreMissing(call(context, 'DeleteRule', { RuleArn: physicalId })),
};

const NUMBERS = [
  'HealthCheckIntervalSeconds',
  'HealthCheckTimeoutSeconds',
  'HealthyThresholdCount',
  'Port',
  'UnhealthyThresholdCount',
];

function groupMembers(properties: Properties): OperationMembers {
  const { HealthCheckEnabled, ...rest } = omitMembers(properties, ['Targets', 'TargetGroupAttributes']);
  return {
    ...Object.fromEntries(
      Object.entries(rest).map(([name, value]) => [name, NUMBERS.includes(name) ? Number(value) : value]),
    ),
    ...(HealthCheckEnabled !== undefined && { HealthCheckEnabled: String(HealthCheckEnabled) === 'true' }),
  };
}

const targetGroup: ResourceProvider = {
  type: 'AWS::ElasticLoadBalancingV2::TargetGroup',
  naming: { property: 'Name', maxLength: 32 },
  async create(properties, context) {
    const [made = {}] = listOf((await call(context, 'CreateTargetGroup', groupMembers(properties))).TargetGroups);
    const TargetGroupArn = String(made.TargetGroupArn);
    context.created(TargetGroupArn);
    await setTargets(TargetGroupArn, {}, properties, context);
    return {
      physicalId: TargetGroupArn,
      attributes: {
        TargetGroupArn,
        TargetGroupName: String(made.TargetGroupName),
        TargetGroupFullName: fullNameOf(TargetGroupArn),
        LoadBalancerArns: [],
      },
    };
  },
  async update(existing, properties, context) {
    const TargetGroupArn = existing.physicalId;
    const fixed = ['Name', 'Port', 'Protocol', 'ProtocolVersion', 'TargetType', 'VpcId', 'IpAddressType', 'Tags'];
    await call(context, 'ModifyTargetGroup', { ...groupMembers(omitMembers(properties, fixed)), TargetGroupArn });
    await setTargets(TargetGroupArn, existing.properties, properties, context);
    return existing;
  },
  delete: ({ physicalId }, context) =>
    ignoreMissing(call(context, 'DeleteTargetGroup', { TargetGroupArn: physicalId })),
};

async function setTargets(TargetGroupArn: string, before: Properties, after: Properties, context: ResourceContext) {
  const Attributes = attributesOf(after.TargetGroupAttributes);
  if (Attributes.length > 0) await call(context, 'ModifyTargetGroupAttributes', { TargetGroupArn, Attributes });
  const idsOf = ({ Targets }: Properties) => listOf(Targets).map(({ Id }) => String(Id));
  const removed = idsOf(before).filter((id) => !idsOf(after).includes(id));
  const targets = (ids: readonly string[]) => ({ TargetGroupArn, Targets: ids.map((Id) => ({ Id })) });
  if (removed.length > 0) await call(context, 'DeregisterTargets', targets(removed));
  if (idsOf(after).length > 0) await call(context, 'RegisterTargets', targets(idsOf(after)));
}

export const LOAD_BALANCER_PROVIDERS: readonly ResourceProvider[] = [loadBalancer, listener, listenerRule, targetGroup];
