/**
 * Whether AWS would let a gateway invoke a function, by the resource policy of the function, version or alias. With
 * `--strict policies` a request without a permission is refused. Otherwise it is answered, and the log has one warning
 * for each function with the commands that add the permission.
 * https://docs.aws.amazon.com/lambda/latest/dg/urls-auth.html
 * https://docs.aws.amazon.com/lambda/latest/dg/services-apigateway.html
 * https://docs.aws.amazon.com/elasticloadbalancing/latest/application/lambda-functions.html
 */
import type { FunctionSettings } from '../../functions/settings/open-settings.ts';
import type { FunctionUrl } from '../../functions/settings/url-settings.ts';
import type { Log } from '../../log.ts';
import { renderFunctionArn } from '../../protocol/arn.ts';
import type { FunctionName, Scope } from '../../protocol/names.ts';
import { type AccessRequest, evaluatePolicy, type Principal } from './evaluate-policy.ts';

/** URLs created since then also need lambda:InvokeFunction. */
const SECOND_PERMISSION_SINCE_MS = Date.UTC(2025, 9, 1);

type InvokedFunction = { readonly scope: Scope; readonly name: FunctionName; readonly qualifier: string | undefined };

export type InvokePermissions = {
  /** `caller` is undefined for a URL without AWS_IAM. */
  allowsUrl(
    invoked: InvokedFunction,
    url: FunctionUrl,
    caller: { readonly accountId: string; readonly userArn: string } | undefined,
  ): boolean;
  /** `gateway` is the name of the API or load balancer, for the warning. */
  allowsService(invoked: InvokedFunction, gateway: string, service: InvokingService): boolean;
};

/** An API or a load balancer. `sourceArn` is of the route, or of the target group. */
export type InvokingService = {
  readonly principal: 'apigateway.amazonaws.com' | 'elasticloadbalancing.amazonaws.com';
  readonly sourceArn: string;
  readonly account: string;
  /** The source ARN that the command of the warning names: with a wildcard for every route. */
  readonly allRoutesArn: string;
};

export type InvokePermissionsOptions = {
  readonly policies: Pick<FunctionSettings['policies'], 'find'>;
  /** Whether requests without a permission are refused. */
  readonly isEnforced: boolean;
  readonly log: Log;
};

type Needed = Pick<AccessRequest, 'action' | 'context'> & { readonly command: string };

export function createInvokePermissions({ policies, isEnforced, log }: InvokePermissionsOptions): InvokePermissions {
  const warned = new Set<string>();

  /** The permissions that the policy lacks. `isGrantedElsewhere`: only a Deny counts. */
  function findMissing(
    { scope, name, qualifier }: InvokedFunction,
    principal: Principal,
    needed: readonly Needed[],
    isGrantedElsewhere: boolean,
  ): readonly Needed[] {
    const statements = policies.find(scope, name, qualifier)?.statements ?? [];
    const resource = renderFunctionArn(scope, name, qualifier);
    return needed.filter(({ action, context }) => {
      const decision = evaluatePolicy(statements, { principal, action, resource, context });
      return decision === 'deny' || (decision !== 'allow' && !isGrantedElsewhere);
    });
  }

  function decide(invoked: InvokedFunction, what: string, status: string, missing: () => readonly Needed[]): boolean {
    const { scope, name, qualifier } = invoked;
    const key = `${what} ${renderFunctionArn(scope, name, qualifier)}`;
    if (!isEnforced && warned.has(key)) return true;
    const lacking = missing();
    if (lacking.length === 0) return true;
    if (!warned.has(key)) {
      warned.add(key);
      const options = ` --region ${scope.region}${qualifier === undefined ? '' : ` --qualifier ${qualifier}`}`;
      const commands = lacking.map(
        ({ command }) => `aws lambda add-permission --function-name ${name}${options} ${command}`,
      );
      const effect = isEnforced ? `is refused with ${status}` : `works here, and is ${status} on AWS`;
      const message = `${what} ${effect}: the resource policy of the function "${name}" does not allow it. Run: ${commands.join(' && ')}`;
      log.warn({ function: name, qualifier }, message);
    }
    return !isEnforced;
  }

  return {
    allowsUrl(invoked, url, caller) {
      const { authType } = url;
      const who = caller === undefined ? '"*"' : caller.userArn;
      const owner = caller && { 'aws:PrincipalAccount': caller.accountId, 'aws:PrincipalArn': caller.userArn };
      const needed: Needed[] = [
        {
          action: 'lambda:InvokeFunctionUrl',
          context: { ...owner, 'lambda:FunctionUrlAuthType': authType },
          command: `--statement-id UrlPolicyInvokeURL --action lambda:InvokeFunctionUrl --principal ${who} --function-url-auth-type ${authType}`,
        },
      ];
      if (url.createdMs >= SECOND_PERMISSION_SINCE_MS) {
        needed.push({
          action: 'lambda:InvokeFunction',
          context: { ...owner, 'lambda:InvokedViaFunctionUrl': 'true' },
          command: `--statement-id UrlPolicyInvokeFunction --action lambda:InvokeFunction --principal ${who} --invoked-via-function-url`,
        });
      }
      const principal: Principal =
        caller === undefined ? { kind: 'anonymous' } : { kind: 'aws', account: caller.accountId, arn: caller.userArn };
      // Callers of the function's own account have the permission by their identity policies, which are not evaluated.
      const isGrantedElsewhere = caller !== undefined && caller.accountId === invoked.scope.account;
      return decide(invoked, 'A request to the function URL', '403', () =>
        findMissing(invoked, principal, needed, isGrantedElsewhere),
      );
    },

    allowsService(invoked, gateway, { principal, sourceArn, account, allRoutesArn }) {
      const isApi = principal === 'apigateway.amazonaws.com';
      const needed: Needed = {
        action: 'lambda:InvokeFunction',
        context: { 'aws:SourceArn': sourceArn, 'aws:SourceAccount': account, 'aws:PrincipalServiceName': principal },
        command: `--statement-id ${isApi ? 'apigateway' : 'elb'}-${gateway} --action lambda:InvokeFunction --principal ${principal} --source-arn "${allRoutesArn}"`,
      };
      const what = isApi ? `A request to the API "${gateway}"` : `A request to the load balancer "${gateway}"`;
      return decide(invoked, what, isApi ? '500' : '502', () =>
        findMissing(invoked, { kind: 'service', name: principal }, [needed], false),
      );
    },
  };
}
