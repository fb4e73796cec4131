/** The roles and policies that requests name: IAM's errors when they do not exist. */
import { type PolicyArn, parsePolicyArn } from '../../protocol/arn.ts';
import { checkName, iamError } from './iam-rules.ts';
import type { IamStore, Policy, Role } from './iam-store.ts';

/** Parses a policy's ARN. @throws QueryError InvalidInput */
export function requirePolicyArn(arn: string): PolicyArn {
  const parsed = parsePolicyArn(arn);
  if (parsed === undefined) throw iamError('InvalidInput', `ARN ${arn} is not valid.`);
  return parsed;
}

/** Whether a policy can be attached: one that the account has, or any that AWS may manage. */
export function canAttach(store: IamStore, account: string, arn: string): boolean {
  const { owner } = requirePolicyArn(arn);
  return owner === 'aws' || store.policy(account, arn) !== undefined;
}

/** A role of the account. @throws QueryError */
export function requireRole(store: IamStore, account: string, name: string): Role {
  checkName('roleName', name);
  const role = store.role(account, name);
  if (role === undefined) throw iamError('NoSuchEntity', `The role with name ${name} cannot be found.`);
  return role;
}

/** A policy that the account can change. @throws QueryError */
export function requireOwnPolicy(store: IamStore, account: string, arn: string): Policy {
  const { owner } = requirePolicyArn(arn);
  const policy = store.policy(account, arn);
  if (policy !== undefined) return policy;
  if (owner === 'aws') throw iamError('InvalidInput', `Policy ${arn} is managed by AWS and cannot be changed.`);
  throw iamError('NoSuchEntity', `Policy ${arn} was not found.`);
}
