/**
 * Evaluates policies for one request: the resource policy of a function, with principals, and the policy that an
 * authorizer returns for its caller, without. Deny wins over Allow. Pure. `conditions.ts` has the conditions.
 * https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html
 */
import {
  type ConditionContext,
  isKnownOperator,
  listOf,
  matchesConditions,
  matchesGlob,
  sixElements,
} from './conditions.ts';

export type Principal =
  | { readonly kind: 'anonymous' }
  | { readonly kind: 'service'; readonly name: string }
  | { readonly kind: 'aws'; readonly account: string; readonly arn: string };

export type AccessRequest = {
  readonly principal: Principal;
  /** `lambda:InvokeFunction` */
  readonly action: string;
  /** The ARN of the function, version or alias. */
  readonly resource: string;
  readonly context: ConditionContext;
};

export type Statement = Readonly<Record<string, unknown>>;

/** `implicit-deny`: no statement is about the request. */
export type Decision = 'allow' | 'deny' | 'implicit-deny';

export function evaluatePolicy(statements: readonly Statement[], request: AccessRequest): Decision {
  return decide(
    statements.filter(
      (statement) => isForPrincipal(statement, request.principal) && matchesStatement(statement, request),
    ),
  );
}

/** Evaluates a policy that has no principals, because it belongs to one. */
export function evaluateCallerPolicy(
  statements: readonly Statement[],
  request: Omit<AccessRequest, 'principal'>,
): Decision {
  return decide(statements.filter((statement) => matchesStatement(statement, request)));
}

/**
 * Why a statement of a policy without principals cannot be evaluated, to follow its name; undefined if it can. Nothing
 * that would change the decision is ignored.
 */
export function findPolicyFault(statement: Statement): string | undefined {
  const { Effect, Action, NotAction, Resource, NotResource, Condition = {} } = statement;
  if (Effect !== 'Allow' && Effect !== 'Deny') return 'must have the `Effect` Allow or Deny';
  if (!isTextList(Action ?? NotAction)) return 'must have an `Action` of text';
  if (!isTextList(Resource ?? NotResource)) return 'must have a `Resource` of text';
  if (typeof Condition !== 'object' || Condition === null) return 'must have an object as its `Condition`';
  const unknown = Object.keys(Condition).find((operator) => !isKnownOperator(operator));
  return unknown === undefined ? undefined : `has the condition operator ${unknown}, which is not supported`;
}

function isTextList(value: unknown): boolean {
  const list = [value].flat();
  return list.length > 0 && list.every((one) => typeof one === 'string');
}

function decide(matching: readonly Statement[]): Decision {
  if (matching.some(({ Effect }) => Effect === 'Deny')) return 'deny';
  return matching.some(({ Effect }) => Effect === 'Allow') ? 'allow' : 'implicit-deny';
}

function matchesStatement(
  { Action, NotAction, Resource, NotResource, Condition }: Statement,
  { action, resource, context }: Omit<AccessRequest, 'principal'>,
): boolean {
  return (
    matchesEither(Action, NotAction, action.toLowerCase(), (text) => text.toLowerCase()) &&
    ((Resource === undefined && NotResource === undefined) || matchesEither(Resource, NotResource, resource)) &&
    matchesConditions(Condition, context)
  );
}

function isForPrincipal({ Principal: principal, NotPrincipal: notPrincipal }: Statement, caller: Principal): boolean {
  return notPrincipal === undefined ? matchesPrincipal(principal, caller) : !matchesPrincipal(notPrincipal, caller);
}

function matchesEither(
  wanted: unknown,
  unwanted: unknown,
  value: string,
  normalize: (text: string) => string = (text) => text,
): boolean {
  const matches = (patterns: unknown) => listOf(patterns).some((pattern) => matchesGlob(normalize(pattern), value));
  return unwanted === undefined ? matches(wanted) : !matches(unwanted);
}

function matchesPrincipal(element: unknown, principal: Principal): boolean {
  if (element === '*') return true;
  if (typeof element !== 'object' || element === null) return false;
  const { AWS: aws, Service: service } = element as Readonly<Record<string, unknown>>;
  if (principal.kind === 'service' && listOf(service).includes(principal.name)) return true;
  return listOf(aws).some((text) => {
    if (text === '*') return true;
    if (principal.kind !== 'aws') return false;
    if (text === principal.account) return true;
    const [, , , , account, name] = sixElements(text);
    if (name === 'root') return account === principal.account;
    return text === principal.arn || (account === principal.account && isSessionOf(principal.arn, name ?? ''));
  });
}

/** Whether the principal is a session, `assumed-role/NAME/SESSION`, of the role `role/PATH/NAME`. */
function isSessionOf(arn: string, role: string): boolean {
  const [kind, name] = sixElements(arn)[5]?.split('/') ?? [];
  return kind === 'assumed-role' && role.startsWith('role/') && role.split('/').at(-1) === name;
}
