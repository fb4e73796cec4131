/**
 * Verifies the Signature Version 4 of a request to a gateway with AWS_IAM, and names the caller for the event. Pure.
 * https://docs.aws.amazon.com/lambda/latest/dg/urls-auth.html
 * https://docs.aws.amazon.com/apigateway/latest/developerguide/permissions.html
 */
import { createHash } from 'node:crypto';
import type { HttpRequest } from '../../http/exchange.ts';
import { AUTHENTICATION_ERRORS, type SignatureFaultKind } from '../../protocol/authentication-errors.ts';
import type { Scope } from '../../protocol/names.ts';
import { type AccessKey, verifySignature } from '../../wire/sigv4.ts';
import type { SignedCaller } from '../exchange/authorized.ts';

export type CallerDependencies = {
  /** Looks up an access key; undefined for an unknown one. */
  readonly keyOf: (accessKeyId: string) => AccessKey | undefined;
  /** The user or role that an access key belongs to. */
  readonly identityOf: (
    accessKeyId: string,
    scope: Scope,
  ) => { readonly account: string; readonly arn: string; readonly userId: string };
};

export type SignedExchange = {
  readonly http: HttpRequest;
  readonly body: Buffer;
  /** The signing name: `lambda` or `execute-api`. */
  readonly service: string;
  /** Of the function or API. */
  readonly scope: Scope;
  readonly nowMs: number;
};

/** Why a signature is refused: AWS's error of REST services with JSON. */
export type CallerFault = {
  readonly kind: SignatureFaultKind;
  readonly status: number;
  readonly code: string;
  readonly message: string;
};

export function verifyCaller(
  { http: { method = 'GET', url = '/', rawHeaders, headers }, body, service, scope, nowMs }: SignedExchange,
  { keyOf, identityOf }: CallerDependencies,
): { readonly caller: SignedCaller } | { readonly fault: CallerFault } {
  const bodyHash = createHash('sha256').update(body).digest('hex');
  const result = verifySignature({ method, target: url, rawHeaders }, { keyOf, nowMs, bodyHash });
  if ('fault' in result) {
    const { kind } = result.fault;
    const { status, code } = AUTHENTICATION_ERRORS['rest-json'][kind];
    const foreign = kind === 'malformed' ? explainForeignScheme(headers.authorization) : undefined;
    return { fault: { kind, status, code, message: foreign ?? result.fault.message } };
  }
  const { accessKeyId, service: signed, region } = result.verified.scope;
  const misplaced =
    (region === scope.region ? '' : 'Credential should be scoped to a valid region. ') +
    (signed === service ? '' : `Credential should be scoped to correct service: '${service}'. `);
  if (misplaced !== '') {
    return { fault: { kind: 'mismatch', status: 403, code: 'InvalidSignatureException', message: misplaced } };
  }
  const { account, arn, userId } = identityOf(accessKeyId, scope);
  return { caller: { accessKey: accessKeyId, accountId: account, callerId: userId, userArn: arn, userId } };
}

/** AWS's message for another scheme, such as `Bearer`. Recorded, but not which part of the header is hashed. */
function explainForeignScheme(authorization: string | undefined): string | undefined {
  if (authorization === undefined || authorization.startsWith('AWS4-')) return undefined;
  const credentials = authorization.replace(/^\S+\s+/, '');
  const hash = createHash('sha256').update(credentials).digest('base64');
  return `Invalid key=value pair (missing equal-sign) in Authorization header (hashed with SHA-256 and encoded with Base64): '${hash}'.`;
}
