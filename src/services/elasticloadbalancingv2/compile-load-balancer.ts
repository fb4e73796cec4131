/**
 * Compiles the listeners of a load balancer to gateways in their JSON form. The first listener by port has the address of
 * the load balancer; the others have their port in the name, because all gateways share one port.
 */
import type { Scope } from '../../protocol/names.ts';
import { QueryError } from '../../wire/query-protocol.ts';
import type {
  Action,
  Condition,
  Listener,
  LoadBalancer,
  LoadBalancingStore,
  Rule,
  TargetGroup,
} from './load-balancing-store.ts';

/** A gateway in its JSON form, and where it is. */
export type PublishedGateway = {
  readonly name: string;
  readonly address: { readonly id: string; readonly region: string; readonly isOwnAddress: boolean };
  readonly input: unknown;
};

export function compileLoadBalancer(
  store: LoadBalancingStore,
  scope: Scope,
  { LoadBalancerArn, label }: LoadBalancer,
): readonly PublishedGateway[] {
  const groups = new Map(
    store
      .targetGroups(scope)
      .all()
      .map((group) => [group.TargetGroupArn, group]),
  );
  return store
    .listeners(scope)
    .all()
    .filter((listener) => listener.LoadBalancerArn === LoadBalancerArn)
    .sort((a, b) => (a.Port ?? 0) - (b.Port ?? 0))
    .map((listener, index) => {
      const port = String(listener.Port ?? 80);
      const rules = store
        .rules(scope)
        .all()
        .filter((rule) => rule.ListenerArn === listener.ListenerArn)
        .sort((a, b) => a.Priority - b.Priority);
      return {
        name: port,
        address: { id: index === 0 ? label : `${label}-${port}`, region: scope.region, isOwnAddress: true },
        input: { kind: 'load-balancer', routes: compileRules(listener, rules, groups) },
      };
    });
}

function compileRules(
  listener: Listener,
  rules: readonly Rule[],
  groups: ReadonlyMap<string, TargetGroup>,
): readonly object[] {
  const conditional = rules.flatMap((rule) => {
    const target = compileActions(rule.Actions, groups);
    const valuesOf = (field: string) => rule.Conditions.filter(({ Field }) => Field === field).map(conditionValues);
    // A gateway's rule has one value for each condition: every combination is a rule.
    const combinations = [valuesOf('path-pattern'), valuesOf('host-header'), valuesOf('http-request-method')].map(
      (values) => values[0] ?? [undefined],
    );
    const [paths = [], hosts = [], methods = []] = combinations;
    return paths.flatMap((path) =>
      hosts.flatMap((host) => methods.map((method) => ({ path: path ?? '/*', host, method, ...target }))),
    );
  });
  return [...conditional, { path: '/*', ...compileActions(listener.DefaultActions, groups) }];
}

/** The values of a condition, from either of the two members that can hold them. */
export function conditionValues(condition: Condition): readonly string[] {
  const { Values, PathPatternConfig, HostHeaderConfig, HttpRequestMethodConfig } = condition;
  return PathPatternConfig?.Values ?? HostHeaderConfig?.Values ?? HttpRequestMethodConfig?.Values ?? Values ?? [];
}

function compileActions(actions: readonly Action[], groups: ReadonlyMap<string, TargetGroup>): object {
  const [action] = actions;
  if (action?.Type === 'fixed-response') {
    const { StatusCode = '200', MessageBody = '', ContentType = 'text/plain' } = action.FixedResponseConfig ?? {};
    return {
      fixedResponse: { status: Number(StatusCode), headers: { 'Content-Type': ContentType }, body: MessageBody },
    };
  }
  const group = groups.get(targetGroupOf(action) ?? '');
  const [target] = group?.targets ?? [];
  if (group === undefined || target === undefined) {
    // A target group without targets.
    const body = '<html>\r\n<head><title>503 Service Temporarily Unavailable</title></head>\r\n</html>\r\n';
    return { fixedResponse: { status: 503, headers: { 'Content-Type': 'text/html' }, body } };
  }
  return {
    function: target,
    targetGroupArn: group.TargetGroupArn,
    multiValueHeaders: group.attributes['lambda.multi_value_headers.enabled'] === 'true',
  };
}

export function targetGroupOf(action: Action | undefined): string | undefined {
  return action?.TargetGroupArn ?? action?.ForwardConfig?.TargetGroups?.[0]?.TargetGroupArn;
}

/** Refuses what Lamella does not do, by name. @throws QueryError */
export function checkActions(actions: readonly Action[], store: LoadBalancingStore, scope: Scope): void {
  if (actions.length !== 1) throw unsupported('rules with several actions');
  const [action] = actions;
  if (action?.Type === 'forward') {
    if ((action.ForwardConfig?.TargetGroups?.length ?? 1) > 1) throw unsupported('weighted target groups');
    const arn = targetGroupOf(action) ?? '';
    if (store.targetGroups(scope).find(arn) === undefined) {
      throw new QueryError('TargetGroupNotFound', 400, `Target groups '${arn}' not found`);
    }
  } else if (action?.Type !== 'fixed-response') {
    throw unsupported(`actions of the type ${action?.Type}: use forward or fixed-response`);
  }
}

const FIELDS = ['path-pattern', 'host-header', 'http-request-method'];

/** @throws QueryError */
export function checkConditions(conditions: readonly Condition[]): void {
  for (const condition of conditions) {
    const { Field = '' } = condition;
    if (!FIELDS.includes(Field)) throw unsupported(`conditions of the field ${Field}: use ${FIELDS.join(', ')}`);
    if (condition.RegexValues?.length) throw unsupported('regular expressions in conditions');
    if (conditionValues(condition).length === 0) {
      throw new QueryError('ValidationError', 400, `A condition value must be specified for the field ${Field}`);
    }
    if (conditions.filter((other) => other.Field === Field).length > 1)
      throw unsupported(`several conditions of the field ${Field}`);
  }
}

export function unsupported(what: string): QueryError {
  return new QueryError('ValidationError', 400, `Lamella does not support ${what}.`);
}
