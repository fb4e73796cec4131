/**
 * Evaluates the resource policy of a function for one request: principal, action, resource and conditions of each
 * statement. Deny wins over Allow. Pure. Identity policies are not evaluated here.
 * https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html
 * https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html
 */
import { arnElements } from '../../protocol/arn.ts';
import { createGlob, globTokens } from '../../protocol/glob.ts';

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
  /** Condition keys. A key without a value is not part of the request. */
  readonly context: Readonly<Record<string, string | undefined>>;
};

type Statement = Readonly<Record<string, unknown>>;

/** `implicit-deny`: no statement is about the request. */
export type Decision = 'allow' | 'deny' | 'implicit-deny';

export function evaluatePolicy(statements: readonly Statement[], request: AccessRequest): Decision {
  const matching = statements.filter((statement) => matchesStatement(statement, request));
  if (matching.some(({ Effect }) => Effect === 'Deny')) return 'deny';
  return matching.some(({ Effect }) => Effect === 'Allow') ? 'allow' : 'implicit-deny';
}

function matchesStatement(statement: Statement, request: AccessRequest): boolean {
  const { Principal: principal, NotPrincipal: notPrincipal, Action, NotAction, Resource, NotResource } = statement;
  const isPrincipal =
    notPrincipal === undefined
      ? matchesPrincipal(principal, request.principal)
      : !matchesPrincipal(notPrincipal, request.principal);
  return (
    isPrincipal &&
    matchesEither(Action, NotAction, request.action.toLowerCase(), (text) => text.toLowerCase()) &&
    ((Resource === undefined && NotResource === undefined) || matchesEither(Resource, NotResource, request.resource)) &&
    matchesConditions(statement.Condition, request.context)
  );
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

/** All operators and all keys of an operator must match. One of several values is enough. */
function matchesConditions(condition: unknown, context: AccessRequest['context']): boolean {
  if (condition === undefined) return true;
  if (typeof condition !== 'object' || condition === null) return false;
  const values = new Map(Object.entries(context).map(([key, value]) => [key.toLowerCase(), value]));
  return Object.entries(condition).every(([operator, keys]) =>
    Object.entries((keys ?? {}) as Readonly<Record<string, unknown>>).every(([key, wanted]) =>
      matchesOperator(operator, values.get(key.toLowerCase()), listOf(wanted)),
    ),
  );
}

/** An operator that is not known does not match. */
function matchesOperator(operator: string, value: string | undefined, wanted: readonly string[]): boolean {
  const [, base = '', ifExists] = /^(?:ForAnyValue:|ForAllValues:)?(\w+?)(IfExists)?$/.exec(operator) ?? [];
  if (base === 'Null') return wanted.some((text) => (text.toLowerCase() === 'true') === (value === undefined));
  const [, stem = base, negated] = /^(String|Arn|Bool)Not(.+)$/.exec(base)
    ? [base, base.replace('Not', ''), true]
    : [base, base, false];
  const compare = COMPARISONS[stem];
  if (compare === undefined) return false;
  if (value === undefined) return ifExists !== undefined || negated === true;
  return wanted.some((text) => compare(text, value)) !== negated;
}

const COMPARISONS: Readonly<Record<string, (wanted: string, value: string) => boolean>> = {
  StringEquals: (wanted, value) => wanted === value,
  StringEqualsIgnoreCase: (wanted, value) => wanted.toLowerCase() === value.toLowerCase(),
  StringLike: matchesGlob,
  ArnEquals: matchesArn,
  ArnLike: matchesArn,
  Bool: (wanted, value) => wanted.toLowerCase() === value.toLowerCase(),
};

/** Each of the six elements of an ARN matches on its own. The last one contains the remaining colons. */
function matchesArn(pattern: string, arn: string): boolean {
  const wanted = sixElements(pattern);
  const given = sixElements(arn);
  return wanted.length === given.length && wanted.every((element, index) => matchesGlob(element, given[index] ?? ''));
}

function sixElements(arn: string): readonly string[] {
  const parts = arnElements(arn);
  return [...parts.slice(0, 5), ...(parts.length > 5 ? [parts.slice(5).join(':')] : [])];
}

/** `*` and `?` match as in policies. */
function matchesGlob(pattern: string, text: string): boolean {
  if (!/[*?]/.test(pattern)) return pattern === text;
  return createGlob(globTokens(pattern, { hasOne: true }))(text);
}

function listOf(value: unknown): readonly string[] {
  if (value === undefined || value === null) return [];
  return (Array.isArray(value) ? value : [value]).map(String);
}
