/**
 * Elastic Load Balancing v2: Application Load Balancers with functions as targets. Listeners and their rules act in the HTTP
 * gateways; subnets, security groups, certificates and health checks are stored.
 * https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/
 */
import { randomBytes, randomInt } from 'node:crypto';
import type { Clock } from '../../clock.ts';
import type { Log } from '../../log.ts';
import { parseFunctionReference, parseLoadBalancingArn, renderLoadBalancingArn } from '../../protocol/arn.ts';
import { LOAD_BALANCER_OPERATIONS } from '../../protocol/generated/load-balancer-operations.ts';
import type { Scope } from '../../protocol/names.ts';
import type { Database } from '../../storage/database.ts';
import { type Collection, createDocumentTable } from '../../storage/document-table.ts';
import type { ServiceApi } from '../../wire/api-call.ts';
import { ConfigurationError } from '../../wire/configuration.ts';
import { createQueryApi, QueryError } from '../../wire/query-protocol.ts';
import type { XmlStructure, XmlValue } from '../../wire/xml.ts';
import {
  checkActions,
  checkConditions,
  compileLoadBalancer,
  type PublishedGateway,
  unsupported,
} from './compile-load-balancer.ts';
import {
  type Described,
  type Listener,
  type LoadBalancer,
  loadBalancingStore,
  type Rule,
  type TargetGroup,
} from './load-balancing-store.ts';
import { renderAttributes, renderBalancer, renderListener, zonesOf } from './render-load-balancing.ts';

export type LoadBalancingOptions = {
  readonly database: Database;
  /** Replaces the gateways of an owner. @throws ConfigurationError */
  readonly publish: (owner: string, gateways: readonly PublishedGateway[]) => void;
  readonly clock: Clock;
  readonly log: Log;
};

export type LoadBalancingApi = ServiceApi & {
  /** Publishes the gateways of all load balancers, after a start. */
  publishAll(): void;
};

type Tag = { readonly Key: string; readonly Value?: string | undefined };

export function createLoadBalancingApi({ database, publish, clock, log }: LoadBalancingOptions): LoadBalancingApi {
  const store = loadBalancingStore(createDocumentTable(database, 'load_balancing'));

  /** Stores a change and publishes all load balancers of the scope: target groups can serve several. */
  function change<Result>(scope: Scope, action: () => Result): Result {
    try {
      return database.transaction(() => {
        const result = action();
        for (const balancer of store.loadBalancers(scope).all()) {
          publish(balancer.label, compileLoadBalancer(store, scope, balancer));
        }
        return result;
      });
    } catch (failure) {
      if (!(failure instanceof ConfigurationError)) throw failure;
      throw new QueryError('ValidationError', 400, failure.message);
    }
  }

  function find<Document extends object>(collection: Collection<Document>, arn: string, what: string): Document {
    const found = collection.find(arn);
    if (found === undefined)
      throw new QueryError(`${what.replaceAll(' ', '')}NotFound`, 400, `${what} '${arn}' not found`);
    return found;
  }
  const findBalancer = (scope: Scope, arn: string) => find(store.loadBalancers(scope), arn, 'Load Balancer');
  const findListener = (scope: Scope, arn: string) => find(store.listeners(scope), arn, 'Listener');
  const findRule = (scope: Scope, arn: string) => find(store.rules(scope), arn, 'Rule');
  const findGroup = (scope: Scope, arn: string) => find(store.targetGroups(scope), arn, 'Target Group');
  /** Those that a Describe operation names, or all. */
  function select<Document extends object>(
    all: readonly Document[],
    arnOf: (item: Document) => string,
    arns: readonly string[] | undefined,
    what: string,
  ): readonly Document[] {
    if (arns === undefined || arns.length === 0) return all;
    return arns.map((arn) => {
      const found = all.find((item) => arnOf(item) === arn);
      if (found === undefined)
        throw new QueryError(
          `${what.replaceAll(' ', '')}NotFound`,
          400,
          `One or more ${what.toLowerCase()}s not found`,
        );
      return found;
    });
  }
  const modifyAttributes = <Document extends Described>(
    collection: Collection<Document>,
    arn: string,
    document: Document,
    given: readonly { readonly Key?: string | undefined; readonly Value?: string | undefined }[],
  ) => {
    const set = Object.fromEntries(given.map(({ Key = '', Value = '' }) => [Key, Value]));
    return renderAttributes(collection.put(arn, { ...document, attributes: { ...document.attributes, ...set } }));
  };
  const removeListener = (scope: Scope, arn: string) => {
    for (const rule of store.rules(scope).all()) if (rule.ListenerArn === arn) store.rules(scope).remove(rule.RuleArn);
    store.listeners(scope).remove(arn);
  };
  /** The collection that a resource is in. */
  const collectionOf = (scope: Scope, arn: string): Collection<Described> => {
    const kind = (parseLoadBalancingArn(arn) ?? '').split('/')[0];
    const collections: Readonly<Record<string, () => unknown>> = {
      loadbalancer: () => store.loadBalancers(scope),
      listener: () => store.listeners(scope),
      'listener-rule': () => store.rules(scope),
      targetgroup: () => store.targetGroups(scope),
    };
    const collection = collections[kind ?? '']?.();
    if (collection === undefined) throw new QueryError('ValidationError', 400, `'${arn}' is not a valid resource ARN`);
    return collection as Collection<Described>;
  };
  const setTags = (scope: Scope, arns: readonly string[], next: (before: Described['tags']) => Described['tags']) => {
    for (const arn of arns) {
      const collection = collectionOf(scope, arn);
      const found = find(collection, arn, 'Load Balancer');
      collection.put(arn, { ...found, tags: next(found.tags) });
    }
    return {};
  };
  const usersOf = (scope: Scope, groupArn: string) => [
    ...store
      .listeners(scope)
      .all()
      .filter(({ DefaultActions }) => JSON.stringify(DefaultActions).includes(groupArn)),
    ...store
      .rules(scope)
      .all()
      .filter(({ Actions }) => JSON.stringify(Actions).includes(groupArn)),
  ];
  const renderGroup = (scope: Scope, group: TargetGroup): XmlStructure => {
    const { attributes: _, tags: __, targets: ___, ...rest } = group;
    const users = new Set(
      usersOf(scope, group.TargetGroupArn).map((user) =>
        'LoadBalancerArn' in user
          ? user.LoadBalancerArn
          : (store.listeners(scope).find(user.ListenerArn)?.LoadBalancerArn ?? ''),
      ),
    );
    const { Name: TargetGroupName, ...members } = rest;
    return { TargetGroupName, ...(members as XmlStructure), LoadBalancerArns: [...users] };
  };
  const renderRule = ({ attributes: _, tags: __, ListenerArn: ___, Priority, ...rule }: Rule): XmlStructure => ({
    ...(rule as unknown as XmlStructure),
    Priority: String(Priority),
    IsDefault: false,
  });
  const renderDefaultRule = ({ ListenerArn, DefaultActions }: Listener): XmlStructure => ({
    RuleArn: `${ListenerArn.replace(':listener/', ':listener-rule/')}/default`,
    Priority: 'default',
    Conditions: [],
    Actions: DefaultActions as unknown as XmlValue,
    IsDefault: true,
  });

  const api = createQueryApi({
    name: 'Elastic Load Balancing',
    version: '2015-12-01',
    namespace: 'http://elasticloadbalancing.amazonaws.com/doc/2015-12-01/',
    operations: LOAD_BALANCER_OPERATIONS,
    log,
    handlers: {
      CreateLoadBalancer: ({ Tags, ...given }, { scope }) =>
        change(scope, () => {
          const { Name, Type = 'application' } = given;
          if (Type !== 'application') throw unsupported(`load balancers of the type ${Type}`);
          if (!/^(?!internal-)[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,30}[a-zA-Z0-9])?$/.test(Name)) {
            throw new QueryError(
              'ValidationError',
              400,
              `The load balancer name '${Name}' must have at most 32 letters, digits and hyphens`,
            );
          }
          if (
            store
              .loadBalancers(scope)
              .all()
              .some((balancer) => balancer.Name === Name)
          ) {
            throw new QueryError(
              'DuplicateLoadBalancerName',
              400,
              `A load balancer with the same name '${Name}' exists, but with different settings`,
            );
          }
          const LoadBalancerArn = renderLoadBalancingArn(scope, `loadbalancer/app/${Name}/${createId()}`);
          const label =
            `${given.Scheme === 'internal' ? 'internal-' : ''}${Name}-${randomInt(1e9, 1e10)}`.toLowerCase();
          const CreatedTime = new Date(clock.epochMs()).toISOString();
          const balancer = {
            Scheme: 'internet-facing',
            IpAddressType: 'ipv4',
            ...defined(given),
            Name,
            Type,
            LoadBalancerArn,
            label,
            CreatedTime,
            attributes: {},
            tags: tagsOf(Tags),
          };
          return {
            LoadBalancers: [
              renderBalancer(scope, store.loadBalancers(scope).put(LoadBalancerArn, balancer as LoadBalancer)),
            ],
          };
        }),
      DescribeLoadBalancers({ LoadBalancerArns, Names }, { scope }) {
        const all = store.loadBalancers(scope).all();
        const named = Names?.length ? select(all, ({ Name }) => Name, Names, 'Load Balancer') : all;
        const found = select(named, ({ LoadBalancerArn }) => LoadBalancerArn, LoadBalancerArns, 'Load Balancer');
        return { LoadBalancers: found.map((balancer) => renderBalancer(scope, balancer)) };
      },
      DeleteLoadBalancer: ({ LoadBalancerArn }, { scope }) =>
        change(scope, () => {
          // Deleting what does not exist succeeds.
          const balancer = store.loadBalancers(scope).find(LoadBalancerArn);
          if (balancer === undefined) return {};
          for (const listener of store.listeners(scope).all()) {
            if (listener.LoadBalancerArn === LoadBalancerArn) removeListener(scope, listener.ListenerArn);
          }
          store.loadBalancers(scope).remove(LoadBalancerArn);
          publish(balancer.label, []);
          return {};
        }),
      DescribeLoadBalancerAttributes: ({ LoadBalancerArn }, { scope }) =>
        renderAttributes(findBalancer(scope, LoadBalancerArn)),
      ModifyLoadBalancerAttributes: ({ LoadBalancerArn, Attributes }, { scope }) =>
        modifyAttributes(store.loadBalancers(scope), LoadBalancerArn, findBalancer(scope, LoadBalancerArn), Attributes),
      SetSecurityGroups({ LoadBalancerArn, SecurityGroups }, { scope }) {
        store.loadBalancers(scope).put(LoadBalancerArn, { ...findBalancer(scope, LoadBalancerArn), SecurityGroups });
        return { SecurityGroupIds: SecurityGroups };
      },
      SetSubnets({ LoadBalancerArn, Subnets, SubnetMappings }, { scope }) {
        const after = { ...findBalancer(scope, LoadBalancerArn), Subnets, SubnetMappings };
        return { AvailabilityZones: zonesOf(scope, store.loadBalancers(scope).put(LoadBalancerArn, after)) };
      },
      SetIpAddressType({ LoadBalancerArn, IpAddressType }, { scope }) {
        store.loadBalancers(scope).put(LoadBalancerArn, { ...findBalancer(scope, LoadBalancerArn), IpAddressType });
        return { IpAddressType };
      },
      DescribeCapacityReservation({ LoadBalancerArn }, { scope }) {
        findBalancer(scope, LoadBalancerArn);
        return { CapacityReservationState: [] };
      },

      CreateListener: ({ Tags, ...given }, { scope }) =>
        change(scope, () => {
          findBalancer(scope, given.LoadBalancerArn);
          checkActions(given.DefaultActions, store, scope);
          const same = store
            .listeners(scope)
            .all()
            .find((other) => other.LoadBalancerArn === given.LoadBalancerArn && other.Port === given.Port);
          if (same !== undefined)
            throw new QueryError(
              'DuplicateListener',
              400,
              'A listener already exists on this port for this load balancer',
            );
          const path = (parseLoadBalancingArn(given.LoadBalancerArn) ?? '').replace(/^loadbalancer/, 'listener');
          const ListenerArn = renderLoadBalancingArn(scope, `${path}/${createId()}`);
          const listener: Listener = { ...given, ListenerArn, attributes: {}, tags: tagsOf(Tags) };
          return { Listeners: [renderListener(store.listeners(scope).put(ListenerArn, listener))] };
        }),
      DescribeListeners({ LoadBalancerArn, ListenerArns }, { scope }) {
        const all = store
          .listeners(scope)
          .all()
          .filter((listener) => !LoadBalancerArn || listener.LoadBalancerArn === LoadBalancerArn);
        return {
          Listeners: select(all, ({ ListenerArn }) => ListenerArn, ListenerArns, 'Listener').map(renderListener),
        };
      },
      ModifyListener: ({ ListenerArn, ...given }, { scope }) =>
        change(scope, () => {
          const before = findListener(scope, ListenerArn);
          if (given.DefaultActions) checkActions(given.DefaultActions, store, scope);
          return {
            Listeners: [renderListener(store.listeners(scope).put(ListenerArn, { ...before, ...defined(given) }))],
          };
        }),
      DeleteListener: ({ ListenerArn }, { scope }) =>
        change(scope, () => {
          findListener(scope, ListenerArn);
          removeListener(scope, ListenerArn);
          return {};
        }),
      DescribeListenerAttributes: ({ ListenerArn }, { scope }) => renderAttributes(findListener(scope, ListenerArn)),
      ModifyListenerAttributes: ({ ListenerArn, Attributes }, { scope }) =>
        modifyAttributes(store.listeners(scope), ListenerArn, findListener(scope, ListenerArn), Attributes),

      CreateRule: ({ Tags, ...given }, { scope }) =>
        change(scope, () => {
          findListener(scope, given.ListenerArn);
          checkActions(given.Actions, store, scope);
          checkConditions(given.Conditions);
          if (given.Transforms?.length) throw unsupported('transforms of rules');
          checkPriority(scope, given.ListenerArn, given.Priority, undefined);
          const path = (parseLoadBalancingArn(given.ListenerArn) ?? '').replace(/^listener/, 'listener-rule');
          const RuleArn = renderLoadBalancingArn(scope, `${path}/${createId()}`);
          const rule: Rule = { ...given, RuleArn, attributes: {}, tags: tagsOf(Tags) };
          return { Rules: [renderRule(store.rules(scope).put(RuleArn, rule))] };
        }),
      DescribeRules({ ListenerArn, RuleArns }, { scope }) {
        if (RuleArns?.length) {
          return {
            Rules: select(store.rules(scope).all(), ({ RuleArn }) => RuleArn, RuleArns, 'Rule').map(renderRule),
          };
        }
        const listener = findListener(scope, ListenerArn ?? '');
        const rules = store
          .rules(scope)
          .all()
          .filter((rule) => rule.ListenerArn === ListenerArn);
        return { Rules: [...rules.map(renderRule), renderDefaultRule(listener)] };
      },
      ModifyRule: ({ RuleArn, Conditions, Actions }, { scope }) =>
        change(scope, () => {
          const before = findRule(scope, RuleArn);
          if (Actions) checkActions(Actions, store, scope);
          if (Conditions) checkConditions(Conditions);
          return {
            Rules: [renderRule(store.rules(scope).put(RuleArn, { ...before, ...defined({ Conditions, Actions }) }))],
          };
        }),
      DeleteRule: ({ RuleArn }, { scope }) =>
        change(scope, () => {
          findRule(scope, RuleArn);
          store.rules(scope).remove(RuleArn);
          return {};
        }),
      SetRulePriorities: ({ RulePriorities }, { scope }) =>
        change(scope, () => ({
          Rules: RulePriorities.map(({ RuleArn = '', Priority = 1 }) => {
            const rule = findRule(scope, RuleArn);
            checkPriority(scope, rule.ListenerArn, Priority, RuleArn);
            return renderRule(store.rules(scope).put(RuleArn, { ...rule, Priority }));
          }),
        })),

      CreateTargetGroup({ Tags, ...given }, { scope }) {
        const { Name, TargetType = 'instance' } = given;
        if (TargetType !== 'lambda') throw unsupported(`target groups with the target type ${TargetType}: use lambda`);
        if (
          store
            .targetGroups(scope)
            .all()
            .some((group) => group.Name === Name)
        ) {
          throw new QueryError(
            'DuplicateTargetGroupName',
            400,
            `A target group with the same name '${Name}' exists, but with different settings`,
          );
        }
        const TargetGroupArn = renderLoadBalancingArn(scope, `targetgroup/${Name}/${createId()}`);
        const defaults = {
          HealthCheckEnabled: false,
          HealthCheckPath: '/',
          HealthCheckIntervalSeconds: 35,
          HealthCheckTimeoutSeconds: 30,
          HealthyThresholdCount: 5,
          UnhealthyThresholdCount: 2,
          Matcher: { HttpCode: '200' },
        };
        const attributes = { 'lambda.multi_value_headers.enabled': 'false' };
        const group: TargetGroup = {
          ...defaults,
          ...defined(given),
          Name,
          TargetType,
          TargetGroupArn,
          targets: [],
          attributes,
          tags: tagsOf(Tags),
        };
        return { TargetGroups: [renderGroup(scope, store.targetGroups(scope).put(TargetGroupArn, group))] };
      },
      DescribeTargetGroups({ TargetGroupArns, Names, LoadBalancerArn }, { scope }) {
        const all = store.targetGroups(scope).all();
        const named = Names?.length ? select(all, ({ Name }) => Name, Names, 'Target Group') : all;
        const found = select(named, ({ TargetGroupArn }) => TargetGroupArn, TargetGroupArns, 'Target Group');
        const rendered = found.map((group) => renderGroup(scope, group));
        return {
          TargetGroups: rendered.filter(
            ({ LoadBalancerArns }) =>
              !LoadBalancerArn || (LoadBalancerArns as readonly string[]).includes(LoadBalancerArn),
          ),
        };
      },
      ModifyTargetGroup({ TargetGroupArn, ...given }, { scope }) {
        const after = { ...findGroup(scope, TargetGroupArn), ...defined(given) };
        return { TargetGroups: [renderGroup(scope, store.targetGroups(scope).put(TargetGroupArn, after))] };
      },
      DeleteTargetGroup({ TargetGroupArn }, { scope }) {
        if (usersOf(scope, TargetGroupArn).length > 0) {
          throw new QueryError(
            'ResourceInUse',
            400,
            `Target group '${TargetGroupArn}' is currently in use by a listener or a rule`,
          );
        }
        store.targetGroups(scope).remove(TargetGroupArn);
        return {};
      },
      DescribeTargetGroupAttributes: ({ TargetGroupArn }, { scope }) =>
        renderAttributes(findGroup(scope, TargetGroupArn)),
      ModifyTargetGroupAttributes: ({ TargetGroupArn, Attributes }, { scope }) =>
        change(scope, () =>
          modifyAttributes(store.targetGroups(scope), TargetGroupArn, findGroup(scope, TargetGroupArn), Attributes),
        ),
      RegisterTargets: ({ TargetGroupArn, Targets }, { scope }) =>
        change(scope, () => {
          const group = findGroup(scope, TargetGroupArn);
          const targets = [...new Set([...group.targets, ...Targets.map(({ Id }) => Id)])];
          const invalid = targets.find((id) => parseFunctionReference(id)?.account === undefined);
          if (invalid !== undefined)
            throw new QueryError('InvalidTarget', 400, `'${invalid}' is not a valid Lambda function ARN`);
          if (targets.length > 1)
            throw new QueryError(
              'TooManyTargets',
              400,
              'You can register only one Lambda function with a target group',
            );
          store.targetGroups(scope).put(TargetGroupArn, { ...group, targets });
          return {};
        }),
      DeregisterTargets: ({ TargetGroupArn, Targets }, { scope }) =>
        change(scope, () => {
          const group = findGroup(scope, TargetGroupArn);
          const targets = group.targets.filter((target) => !Targets.some(({ Id }) => Id === target));
          store.targetGroups(scope).put(TargetGroupArn, { ...group, targets });
          return {};
        }),
      DescribeTargetHealth({ TargetGroupArn }, { scope }) {
        // Health checks are not made for these load balancers.
        const TargetHealth = {
          State: 'unavailable',
          Reason: 'Target.HealthCheckDisabled',
          Description: 'Health checks are not enabled for this target group',
        };
        const descriptions = findGroup(scope, TargetGroupArn).targets.map((Id) => ({
          Target: { Id, AvailabilityZone: 'all' },
          TargetHealth,
        }));
        return { TargetHealthDescriptions: descriptions };
      },

      AddTags: ({ ResourceArns, Tags }, { scope }) =>
        setTags(scope, ResourceArns, (before) => ({ ...before, ...tagsOf(Tags) })),
      RemoveTags: ({ ResourceArns, TagKeys }, { scope }) =>
        setTags(scope, ResourceArns, (before) =>
          Object.fromEntries(Object.entries(before).filter(([key]) => !TagKeys.includes(key))),
        ),
      DescribeTags: ({ ResourceArns }, { scope }) => ({
        TagDescriptions: ResourceArns.map((ResourceArn) => {
          const { tags } = find(collectionOf(scope, ResourceArn), ResourceArn, 'Load Balancer');
          return { ResourceArn, Tags: Object.entries(tags).map(([Key, Value]) => ({ Key, Value })) };
        }),
      }),
    },
  });

  function checkPriority(scope: Scope, listenerArn: string, priority: number, own: string | undefined): void {
    if (priority < 1 || priority > 50_000)
      throw new QueryError('ValidationError', 400, `Priority must be between 1 and 50000`);
    const same = store
      .rules(scope)
      .all()
      .find((rule) => rule.ListenerArn === listenerArn && rule.Priority === priority);
    if (same !== undefined && same.RuleArn !== own)
      throw new QueryError('PriorityInUse', 400, `Priority '${priority}' is currently in use`);
  }

  return {
    ...api,
    publishAll() {
      for (const { scope, document } of store.everyLoadBalancer()) {
        try {
          publish(document.label, compileLoadBalancer(store, scope, document));
        } catch (failure) {
          log.error({ err: failure, loadBalancer: document.Name }, `cannot serve the load balancer ${document.Name}`);
        }
      }
    },
  };
}

function createId(): string {
  return randomBytes(8).toString('hex');
}

function tagsOf(tags: readonly Tag[] | undefined): Record<string, string> {
  return Object.fromEntries((tags ?? []).map(({ Key, Value = '' }) => [Key, Value]));
}

/** The members that are there. */
function defined<Given extends object>(given: Given): { [Name in keyof Given]: Exclude<Given[Name], undefined> } {
  return Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined)) as never;
}
