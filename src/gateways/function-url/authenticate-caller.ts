/**
 * Verifies the signature of a request to a function URL with AWS_IAM, and names the caller for the event. Pure.
 * https://docs.aws.amazon.com/lambda/latest/dg/urls-auth.html
 */
import { createHash } from 'node:crypto';
import type { HttpRequest } from '../../http/exchange.ts';
import { AUTHENTICATION_ERRORS } from '../../protocol/authentication-errors.ts';
import type { Scope } from '../../protocol/names.ts';
import { type AccessKey, verifySignature } from '../../wire/sigv4.ts';
import type { ReceivedRequest } from '../exchange/gateway-request.ts';
import { Refused } from '../exchange/proxy-integration.ts';
import { FORBIDDEN, renderUrlRefusal, type UrlCaller } from './function-url.ts';

export type CallerDependencies = {
  /** Looks up an access key; undefined for an unknown one. */
  readonly keyOf: (accessKeyId: string) => AccessKey | undefined;
  /** The user or role that an access key belongs to. */
  readonly identityOf: (
    accessKeyId: string,
    scope: Scope,
  ) => { readonly account: string; readonly arn: string; readonly userId: string };
};

/** Returns who signed the request. `scope` is the function's. @throws Refused */
export function authenticateCaller(
  { method = 'GET', url = '/', rawHeaders }: HttpRequest,
  request: ReceivedRequest,
  scope: Scope,
  nowMs: number,
  { keyOf, identityOf }: CallerDependencies,
): UrlCaller {
  const bodyHash = createHash('sha256').update(request.body).digest('hex');
  const result = verifySignature({ method, target: url, rawHeaders }, { keyOf, nowMs, bodyHash });
  if ('fault' in result) {
    const row = AUTHENTICATION_ERRORS['rest-json'][result.fault.kind];
    const body: Record<string, string> =
      result.fault.kind === 'missing' ? { Message: FORBIDDEN } : { message: row.message ?? result.fault.message };
    const errorType = result.fault.kind === 'missing' ? 'AccessDeniedException' : row.code;
    throw new Refused(renderUrlRefusal(row.status, errorType, body, request));
  }
  const { accessKeyId, service, region } = result.verified.scope;
  if (service !== 'lambda' || region !== scope.region) {
    const message = `Credential should be scoped to a valid region and to service 'lambda', not '${region}' and '${service}'.`;
    throw new Refused(renderUrlRefusal(403, 'InvalidSignatureException', { message }, request));
  }
  const { account, arn, userId } = identityOf(accessKeyId, scope);
  return { accessKey: accessKeyId, accountId: account, callerId: userId, userArn: arn, userId };
}
