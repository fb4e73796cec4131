/** Load balancers, listeners, rules and target groups as they are stored, each by its ARN. */
import type { LOAD_BALANCER_OPERATIONS } from '../../protocol/generated/load-balancer-operations.ts';
import type { InputOf } from '../../protocol/member-constraints.ts';
import type { Scope } from '../../protocol/names.ts';
import type { DocumentTable } from '../../storage/document-table.ts';

type Input<Name extends keyof typeof LOAD_BALANCER_OPERATIONS> = InputOf<(typeof LOAD_BALANCER_OPERATIONS)[Name]>;

export type Described = {
  readonly attributes: Readonly<Record<string, string>>;
  readonly tags: Readonly<Record<string, string>>;
};
export type LoadBalancer = Described &
  Omit<Input<'CreateLoadBalancer'>, 'Tags'> & {
    readonly LoadBalancerArn: string;
    readonly CreatedTime: string;
    /** The first label of its DNS name. */
    readonly label: string;
  };
export type Listener = Described & Omit<Input<'CreateListener'>, 'Tags'> & { readonly ListenerArn: string };
export type Rule = Described & Omit<Input<'CreateRule'>, 'Tags'> & { readonly RuleArn: string };
export type TargetGroup = Described &
  Omit<Input<'CreateTargetGroup'>, 'Tags'> & {
    readonly TargetGroupArn: string;
    /** ARNs of functions. A target group has at most one. */
    readonly targets: readonly string[];
  };
export type Action = Listener['DefaultActions'][number];
export type Condition = Rule['Conditions'][number];

export function loadBalancingStore(table: DocumentTable) {
  return {
    loadBalancers: (scope: Scope) => table.collection<LoadBalancer>(scope, 'load-balancer', ''),
    listeners: (scope: Scope) => table.collection<Listener>(scope, 'listener', ''),
    rules: (scope: Scope) => table.collection<Rule>(scope, 'rule', ''),
    targetGroups: (scope: Scope) => table.collection<TargetGroup>(scope, 'target-group', ''),
    everyLoadBalancer: () => table.everywhere<LoadBalancer>('load-balancer'),
  };
}

export type LoadBalancingStore = ReturnType<typeof loadBalancingStore>;
