/**
 * Invocations by Lambda's API, the most frequent requests of the API port, without Node's HTTP server
 * (`http/plain-connection.ts`). It takes only requests whose service is beyond doubt; `api-port.ts` gets the others, and
 * every request if signatures are verified.
 */
import { randomUUID } from 'node:crypto';
import type { PlainRoutes } from '../http/listener.ts';
import type { PlainHead } from '../http/plain-request.ts';
import type { RequestId, Scope } from '../protocol/names.ts';
import type { InvokeCall } from '../wire/api-call.ts';
import { parseCredentialScope } from '../wire/sigv4.ts';
import { type ApiHandlerOptions, REGION } from './api-port.ts';
import { createCallerCheck } from './callers.ts';

const INVOKE = /^\/2015-03-31\/functions\/[^/?]+\/invocations(?:\?Qualifier=[^&=]*)?$/;
/** A signature for Lambda, in the form of AWS's clients. */
const LAMBDA_SIGNATURE = /^AWS4-\S+ Credential=[^,\s]+\/lambda\/aws4_request, /;
const S3_HOST = /(?:^|\.)s3\./i;
const NO_QUERY = new URLSearchParams();
const MAX_SCOPES = 100;

export type PlainInvocationOptions = Pick<
  ApiHandlerOptions,
  'defaultRegion' | 'accountId' | 'boundHost' | 'allowedHosts' | 'authenticator'
> & {
  readonly invoke: (call: InvokeCall) => Promise<void>;
};

/** Undefined if the port verifies signatures. */
export function createPlainInvocations(options: PlainInvocationOptions): PlainRoutes | undefined {
  if (options.authenticator !== undefined) return undefined;
  const { boundHost = '127.0.0.1', allowedHosts, defaultRegion, accountId } = options;
  const judge = createCallerCheck({ boundHost, allowedHosts });
  const scopes = new Map<string, Scope>();
  const scopeOf = (region: string): Scope => {
    const known = scopes.get(region);
    if (known !== undefined) return known;
    const scope = { region, account: accountId };
    if (scopes.size < MAX_SCOPES) scopes.set(region, scope);
    return scope;
  };
  return {
    takes: (head, socket) => isInvocation(head) && judge({ headers: head.headers.values, socket }).admitted,
    handler(request, response) {
      const { headers } = request;
      const requestId = randomUUID() as RequestId;
      const credential = parseCredentialScope(headers.authorization, NO_QUERY);
      return options.invoke({
        request,
        response,
        requestId,
        scope: scopeOf(credential?.region && REGION.test(credential.region) ? credential.region : defaultRegion),
        baseUrl: `http://${headers.host}`,
        accessKeyId: credential?.accessKeyId,
      });
    },
  };
}

/** Whether `api-port.ts` would find the Lambda API and Invoke for this request. */
function isInvocation({ method, url, headers: { values } }: PlainHead): boolean {
  if (method !== 'POST' || !INVOKE.test(url)) return false;
  const { authorization, host = '' } = values;
  if (authorization !== undefined && !LAMBDA_SIGNATURE.test(authorization)) return false;
  return values['x-amz-target'] === undefined && !S3_HOST.test(host);
}
