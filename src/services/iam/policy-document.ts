/**
 * Checks policy documents by IAM's grammar and with IAM's messages, for the two kinds that roles have: trust policies
 * (who can assume the role) and permission policies (what the role allows). Nothing evaluates them.
 * https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_grammar.html
 */

import { arnElements, isPrincipalArn } from '../../protocol/arn.ts';
import { parseJson } from '../../protocol/json.ts';

/** `inline` are the permissions that belong to a role, `permissions` those of a managed policy. */
export type PolicyKind = 'trust' | 'permissions' | 'inline';

const STATEMENT_KEYS = {
  trust: ['Sid', 'Effect', 'Principal', 'NotPrincipal', 'Action', 'NotAction', 'Condition'],
  permissions: ['Sid', 'Effect', 'Action', 'NotAction', 'Resource', 'NotResource', 'Condition'],
  inline: ['Sid', 'Effect', 'Action', 'NotAction', 'Resource', 'NotResource', 'Condition'],
} as const;
const PRINCIPAL_KINDS = ['AWS', 'Service', 'Federated', 'CanonicalUser'];
const SYNTAX = 'Syntax errors in policy.';

/** IAM's message for a malformed document. Undefined for a valid one. */
export function findPolicyFault(text: string, kind: PolicyKind): string | undefined {
  const document = parseObject(text);
  if (document === undefined) return kind === 'trust' ? 'This policy contains invalid Json' : SYNTAX;
  const { Version: version, Statement: statement, Id: id, ...unknown } = document;
  const strange = Object.keys(unknown)[0];
  if (strange !== undefined) return kind === 'trust' ? `Unknown field ${strange}` : SYNTAX;
  if (version !== undefined && version !== '2012-10-17' && version !== '2008-10-17') {
    return typeof version === 'string' ? 'The policy failed legacy parsing' : SYNTAX;
  }
  // Without a version, a policy has the version of 2008, which managed policies no longer accept. Inline ones do: the
  // policies that SAM makes from its templates have no version.
  if (kind === 'permissions' && version !== '2012-10-17') {
    return 'Policy document must be version 2012-10-17 or greater.';
  }
  if (id !== undefined && typeof id !== 'string') return SYNTAX;
  const statements = Array.isArray(statement) ? statement : [statement];
  if (statement === undefined) return kind === 'trust' ? 'Missing required field Statement' : SYNTAX;
  if (statements.length === 0 && kind !== 'trust') return SYNTAX;
  const sids = new Set<string>();
  for (const item of statements) {
    if (!isObject(item)) return SYNTAX;
    const fault = findStatementFault(item, kind);
    if (fault !== undefined) return fault;
    if (typeof item.Sid === 'string' && item.Sid !== '') {
      if (sids.has(item.Sid)) return 'Statement IDs (SID) in a single policy must be unique.';
      sids.add(item.Sid);
    }
  }
  return undefined;
}

type Json = { readonly [key: string]: unknown };

function findStatementFault(statement: Json, kind: PolicyKind): string | undefined {
  if (kind !== 'trust' && (statement.Principal !== undefined || statement.NotPrincipal !== undefined)) {
    return 'Policy document should not specify a principal.';
  }
  const allowed: readonly string[] = STATEMENT_KEYS[kind];
  const strange = Object.keys(statement).find((key) => !allowed.includes(key));
  if (strange === 'Resource' || strange === 'NotResource') return `Has prohibited field ${strange}`;
  if (strange !== undefined) return kind === 'trust' ? `Unknown field ${strange}` : SYNTAX;
  if (statement.Effect === undefined) return kind === 'trust' ? 'Missing required field Effect' : SYNTAX;
  if (statement.Effect !== 'Allow' && statement.Effect !== 'Deny') {
    return kind === 'trust' ? `Invalid effect: ${String(statement.Effect)}` : SYNTAX;
  }
  if (statement.Sid !== undefined && (typeof statement.Sid !== 'string' || !/^[A-Za-z0-9]*$/.test(statement.Sid))) {
    return 'Statement IDs (SID) must be alpha-numeric. Check that your input satisfies the regular expression [0-9A-Za-z]*';
  }
  if (statement.Condition !== undefined && !isObject(statement.Condition)) return SYNTAX;
  return (
    findActionFault(statement, kind) ??
    (kind === 'trust' ? findPrincipalFault(statement) : findResourceFault(statement))
  );
}

function findActionFault(statement: Json, kind: PolicyKind): string | undefined {
  if (statement.Action !== undefined && statement.NotAction !== undefined) return SYNTAX;
  const actions = listOf(statement.Action ?? statement.NotAction);
  if (actions === undefined) {
    const isMissing = statement.Action === undefined && statement.NotAction === undefined;
    if (!isMissing) return SYNTAX;
    return kind === 'trust' ? 'Missing required field Action' : 'Policy statement must contain actions.';
  }
  if (actions.length === 0) return 'Policy statement must contain actions.';
  if (kind === 'trust') {
    const isForeign = actions.some((action) => !/^sts:/i.test(action));
    return isForeign ? 'AssumeRole policy may only specify STS AssumeRole actions.' : undefined;
  }
  for (const action of actions) {
    if (action === '*') continue;
    const vendor = /^([^:]*):(.*)$/s.exec(action)?.[1];
    if (vendor === undefined) return 'Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc.';
    if (!/^[A-Za-z0-9-]+$/.test(vendor)) return `Vendor ${vendor} is not valid`;
    if (!/^[^:]+:[A-Za-z0-9*?_-]+$/.test(action)) return 'Actions/Condition can contain only one colon.';
  }
  return undefined;
}

function findResourceFault(statement: Json): string | undefined {
  if (statement.Resource !== undefined && statement.NotResource !== undefined) return SYNTAX;
  const given = statement.Resource ?? statement.NotResource;
  if (given === undefined) return 'Policy statement must contain resources.';
  const resources = listOf(given);
  if (resources === undefined) return SYNTAX;
  if (resources.length === 0) return 'Policy statement must contain resources.';
  for (const resource of resources) {
    if (resource === '*') continue;
    if (!resource.includes(':')) return `Resource ${resource} must be in ARN format or "*".`;
    const [arn, partition, service, ...rest] = arnElements(resource);
    // A final star also stands for the elements that are left out.
    const isOpen = rest.length > 0 && resource.endsWith('*');
    if (arn !== 'arn' || !partition || !service || (rest.length < 3 && !isOpen)) {
      return arn === 'arn' && partition !== undefined && service !== undefined && rest.length > 0
        ? 'The policy failed legacy parsing'
        : `Resource ${resource} must be in ARN format or "*".`;
    }
  }
  return undefined;
}

function findPrincipalFault(statement: Json): string | undefined {
  const principal = statement.Principal ?? statement.NotPrincipal;
  if (principal === undefined) return 'Missing required field Principal';
  if (principal === '*') return undefined;
  if (!isObject(principal)) return `Invalid principal in policy: ${shown(principal)}`;
  const entries = Object.entries(principal);
  if (entries.length === 0) return 'Missing required field Principal cannot be empty!';
  for (const [kind, value] of entries) {
    if (!PRINCIPAL_KINDS.includes(kind)) return `Invalid principal in policy: "${kind}":${shown(value)}`;
    const values = listOf(value);
    if (values === undefined || values.length === 0) return `Invalid principal in policy: "${kind}":${shown(value)}`;
    const wrong = values.find((name) => !isPrincipalName(kind, name));
    if (wrong !== undefined) return `Invalid principal in policy: "${kind}":"${wrong}"`;
  }
  return undefined;
}

function isPrincipalName(kind: string, name: string): boolean {
  if (name === '*') return true;
  switch (kind) {
    case 'Service':
      return /^[a-z0-9_-]+(\.[a-z0-9_-]+)*\.(amazonaws\.com(\.cn)?|aws\.internal|amazon\.com|aws\.com)$/i.test(name);
    case 'AWS':
      return isPrincipalArn(name) || /^(\d{12}|A[A-Z0-9]{15,127})$/.test(name);
    default:
      return name.length > 0;
  }
}

function listOf(value: unknown): readonly string[] | undefined {
  const list: unknown[] = Array.isArray(value) ? value : [value];
  return list.every((item) => typeof item === 'string') ? (list as string[]) : undefined;
}

function parseObject(text: string): Json | undefined {
  try {
    const value: unknown = parseJson(text);
    return isObject(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function shown(value: unknown): string {
  return JSON.stringify(value) ?? 'null';
}
