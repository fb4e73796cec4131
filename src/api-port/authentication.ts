/**
 * Authentication of requests by their signature (`--enforce-auth`). Finds the key, verifies the signature, and renders
 * a refusal as the called service does. A caller with a known key may do everything: policies are not evaluated.
 */
import { createHash } from 'node:crypto';
import type { Clock } from '../clock.ts';
import { readBodyAhead } from '../http/body.ts';
import type { HttpRequest } from '../http/exchange.ts';
import { AUTHENTICATION_ERRORS } from '../protocol/authentication-errors.ts';
import { IAM_NAMESPACE } from '../protocol/iam-operations.ts';
import { REQUEST_BYTES } from '../protocol/quotas.ts';
import { STS_NAMESPACE } from '../protocol/sts-operations.ts';
import type { ApiCall } from '../wire/api-call.ts';
import { renderError } from '../wire/query-protocol.ts';
import type { AccessKey, SignatureFault, VerifiedSignature } from '../wire/sigv4.ts';
import { parseCredentialScope, verifySignature } from '../wire/sigv4.ts';
import { escapeXml } from '../wire/xml.ts';

export type Authentication = { readonly verified: VerifiedSignature } | { readonly fault: SignatureFault };

export type Authenticator = {
  /** Verifies the signature. Reads the body first if the key is known, except for S3. */
  authenticate(request: HttpRequest): Promise<Authentication>;
};

export type AuthenticatorOptions = {
  /** Looks up an access key; undefined for an unknown one. */
  readonly keyOf: (accessKeyId: string) => AccessKey | undefined;
  readonly clock: Clock;
};

/** The largest request body that any service buffers. */
const BODY_LIMIT_BYTES = REQUEST_BYTES.CreateFunction;

export function createAuthenticator({ keyOf, clock }: AuthenticatorOptions): Authenticator {
  return {
    async authenticate(request) {
      const target = request.url ?? '/';
      const query = new URLSearchParams(target.slice(target.indexOf('?') + 1));
      const scope = parseCredentialScope(request.headers.authorization, query);
      // Do not buffer bodies of unknown callers. S3 streams bodies and verifies their signed digests itself.
      const isRead = scope !== undefined && scope.service !== 's3' && keyOf(scope.accessKeyId) !== undefined;
      const body = isRead ? await readBodyAhead(request, BODY_LIMIT_BYTES) : undefined;
      const bodyHash = body && createHash('sha256').update(body).digest('hex');
      const signed = { method: request.method ?? 'GET', target, rawHeaders: request.rawHeaders };
      return verifySignature(signed, { keyOf, nowMs: clock.epochMs(), bodyHash });
    },
  };
}

/** Responds to a request whose signature was not accepted. */
export function renderAuthenticationFault(call: ApiCall, service: string, fault: SignatureFault): void {
  call.request.resume();
  const protocol = PROTOCOLS[service] ?? 'rest-json';
  const row = AUTHENTICATION_ERRORS[protocol][fault.kind];
  const message = row.message ?? fault.message;
  const { response } = call;
  switch (protocol) {
    case 'rest-json':
      response.writeHead(row.status, { 'Content-Type': 'application/json', 'x-amzn-ErrorType': row.code });
      response.end(JSON.stringify({ message }));
      return;
    case 'json-rpc':
      response.writeHead(row.status, { 'Content-Type': 'application/x-amz-json-1.1' });
      response.end(JSON.stringify({ __type: row.code, message }));
      return;
    case 'query': {
      const namespace = service === 'iam' ? IAM_NAMESPACE : STS_NAMESPACE;
      response.writeHead(row.status, { 'Content-Type': 'text/xml' });
      response.end(renderError(namespace, row.code, row.status, message, call.requestId));
      return;
    }
    case 's3':
      response.writeHead(row.status, { 'Content-Type': 'application/xml' });
      response.end(
        `<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>${row.code}</Code><Message>${escapeXml(message)}</Message>` +
          `<RequestId>${call.requestId}</RequestId></Error>`,
      );
      return;
  }
}

const PROTOCOLS: Readonly<Record<string, keyof typeof AUTHENTICATION_ERRORS>> = {
  lambda: 'rest-json',
  iam: 'query',
  sts: 'query',
  logs: 'json-rpc',
  s3: 's3',
  sqs: 'json-rpc',
  sns: 'query',
  elasticloadbalancing: 'query',
  events: 'json-rpc',
  ssm: 'json-rpc',
  secretsmanager: 'json-rpc',
  ecr: 'json-rpc',
  cloudformation: 'query',
};
