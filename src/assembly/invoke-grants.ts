/**
 * Whether the resource policy of a function lets another AWS service invoke it. S3 and CloudWatch Logs ask it when a
 * configuration names a function, as on AWS.
 */
import type { FunctionSettings } from '../functions/settings/open-settings.ts';
import { evaluatePolicy } from '../gateways/permissions/evaluate-policy.ts';
import { parseFunctionReference, renderFunctionArn } from '../protocol/arn.ts';

/** The service that invokes, for which of its resources. */
export type Invoker = {
  /** `s3.amazonaws.com` */
  readonly principal: string;
  readonly sourceArn: string;
  readonly account: string;
};

/** False also for a function that does not exist. */
export type MayInvoke = (functionArn: string, invoker: Invoker) => boolean;

export function createMayInvoke({ directory, policies }: Pick<FunctionSettings, 'directory' | 'policies'>): MayInvoke {
  return (functionArn, { principal, sourceArn, account }) => {
    const { region, account: owner, name, qualifier } = parseFunctionReference(functionArn) ?? {};
    if (!region || !owner || !name) return false;
    const scope = { region, account: owner };
    if (!directory.has(scope, name, qualifier)) return false;
    const decision = evaluatePolicy(policies.find(scope, name, qualifier)?.statements ?? [], {
      principal: { kind: 'service', name: principal },
      action: 'lambda:InvokeFunction',
      resource: renderFunctionArn(scope, name, qualifier),
      context: { 'aws:SourceArn': sourceArn, 'aws:SourceAccount': account, 'aws:PrincipalServiceName': principal },
    });
    return decision === 'allow';
  };
}

/** The log group of a function; undefined if the function does not exist. */
export function logGroupOf(
  { directory, get }: Pick<FunctionSettings, 'directory' | 'get'>,
  functionArn: string,
): string | undefined {
  const { region, account, name, qualifier } = parseFunctionReference(functionArn) ?? {};
  if (!region || !account || !name || !directory.has({ region, account }, name, qualifier)) return undefined;
  return get({ region, account }, name, qualifier).configuration.logging.logGroup;
}
