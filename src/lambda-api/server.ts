/**
 * The Lambda API: finds the operation, reads its body to the quota, parses its input, has it answered and renders what
 * comes back, errors included. What an operation does is said in the `*-operations.ts` files, who may call in
 * `http/guard.ts`. Catches `ServiceError`s and nothing else: any other failure is a bug, and the listener's.
 */

import { BodyFailure, readBody } from '../http/body.ts';
import { OperatorError } from '../operator-error.ts';
import { ANSWER_HEADERS } from '../protocol/headers.ts';
import type { OperationName } from '../protocol/operations.ts';
import { operationRow } from '../protocol/operations.ts';
import { REQUEST_BYTES, REQUEST_BYTES_DEFAULT, REQUEST_BYTES_NAMES } from '../protocol/quotas.ts';
import { ServiceError } from '../protocol/service-errors.ts';
import type { ApiCall, ServiceHandler } from '../wire/api-call.ts';
import { parseInput, takesBody } from './input/parse-input.ts';
import { createTargets, type Targets } from './operation-routes.ts';
import { aliasOperations } from './operations/alias-operations.ts';
import { codeSigningOperations } from './operations/code-signing-operations.ts';
import { concurrencyOperations } from './operations/concurrency-operations.ts';
import { CONTENT_PREFIX, createContentDownloads } from './operations/content.ts';
import type { LambdaApiDependencies, OperationAnswer, OperationHandlers } from './operations/dependencies.ts';
import { eventInvokeOperations } from './operations/event-invoke-operations.ts';
import { eventSourceOperations } from './operations/event-source-operations.ts';
import { functionOperations } from './operations/function-operations.ts';
import {
  createInvokeAsyncHandler,
  createInvokeHandler,
  createStreamingInvokeHandler,
} from './operations/invoke-operation.ts';
import { layerOperations } from './operations/layer-operations.ts';
import { OPERATION_SUPPORT } from './operations/operation-support.ts';
import { policyOperations } from './operations/policy-operations.ts';
import { accessDenied, ForeignResource } from './operations/references.ts';
import { runtimeOperations } from './operations/runtime-operations.ts';
import { tagOperations } from './operations/tag-operations.ts';
import { urlOperations } from './operations/url-operations.ts';
import { renderError } from './render-error.ts';

/** Answers everything that is addressed to Lambda on the API port. */
export function createLambdaApi(dependencies: LambdaApiDependencies): ServiceHandler {
  const downloads = createContentDownloads(dependencies.layers.contentPath);
  const handlers: OperationHandlers = {
    ...layerOperations(dependencies, downloads),
    ...functionOperations(dependencies, downloads),
    ...aliasOperations(dependencies),
    ...policyOperations(dependencies),
    ...concurrencyOperations(dependencies),
    ...eventInvokeOperations(dependencies),
    ...urlOperations(dependencies),
    ...eventSourceOperations(dependencies),
    ...codeSigningOperations(dependencies),
    ...runtimeOperations(dependencies),
    ...tagOperations(dependencies),
  };
  const targets = createTargets();
  const invoke = createInvokeHandler(dependencies);
  const invokeStreaming = createStreamingInvokeHandler(dependencies);
  const invokeAsync = createInvokeAsyncHandler(dependencies);

  async function answer(call: ApiCall): Promise<void> {
    const { request } = call;
    const { method = 'GET', url = '/' } = request;
    const { path, query, match } = targets.find(method, url);
    if (path.startsWith(CONTENT_PREFIX)) return downloads.answer(call, path, query);
    if (match === undefined) throw unknownOperation(method, path);
    const { operation, pathParameters } = match;
    const raw = { pathParameters, query, headers: request.headers };
    if (operation === 'Invoke') return invoke(call, raw);
    if (operation === 'InvokeWithResponseStream') return invokeStreaming(call, raw);
    if (operation === 'InvokeAsync') return invokeAsync(call, raw);

    const handler = handlers[operation] as AnyHandler | undefined;
    if (handler === undefined) throw unsupported(operation);
    const body = takesBody(operation) ? await readBody(request, limitOf(operation)) : NO_BODY;
    sendAnswer(call, operation, await handler(parseInput(operation, { ...raw, body }), call));
  }

  return async (call) => {
    try {
      await answer(call);
    } catch (failure) {
      if (failure instanceof BodyFailure && failure.reason === 'aborted') return;
      sendError(call, asServiceError(failure, call, targets));
    }
  };
}

/** A handler whose input has been parsed by the row of its own operation. */
type AnyHandler = (input: unknown, call: ApiCall) => OperationAnswer | Promise<OperationAnswer>;

const NO_BODY = Buffer.alloc(0);

function limitOf(operation: OperationName): number {
  return (REQUEST_BYTES as Readonly<Record<string, number>>)[operation] ?? REQUEST_BYTES_DEFAULT;
}

function sendAnswer(
  { response, requestId }: ApiCall,
  operation: OperationName,
  { body, status }: OperationAnswer,
): void {
  const code = status ?? operationRow(operation).status;
  if (body === undefined) {
    response
      .writeHead(code, { [ANSWER_HEADERS.requestId]: requestId, ...(code !== 204 && { 'Content-Length': 0 }) })
      .end();
    return;
  }
  const json = JSON.stringify(body);
  response
    .writeHead(code, {
      [ANSWER_HEADERS.requestId]: requestId,
      'Content-Type': 'application/json',
      'Content-Length': Buffer.byteLength(json),
    })
    .end(json);
}

function sendError({ response, requestId }: ApiCall, error: ServiceError): void {
  const { status, headers, body } = renderError(error);
  response
    .writeHead(status, {
      [ANSWER_HEADERS.requestId]: requestId,
      ...headers,
      'Content-Type': 'application/json',
      'Content-Length': Buffer.byteLength(body),
    })
    .end(body);
}

function asServiceError(failure: unknown, { request, scope }: ApiCall, targets: Targets): ServiceError {
  if (failure instanceof ServiceError) return failure;
  const asked = targets.find(request.method ?? 'GET', request.url ?? '/').match?.operation;
  if (failure instanceof ForeignResource && asked !== undefined) return accessDenied(scope, asked, failure.arn);
  if (failure instanceof BodyFailure) {
    const operation = asked ?? 'requested';
    return new ServiceError(
      'RequestTooLargeException',
      `Request must be smaller than ${failure.limitBytes} bytes for the ` +
        `${REQUEST_BYTES_NAMES[operation] ?? operation} operation`,
    );
  }
  // The host is not fit: not the client's mistake, and the person who can mend it may well be the one who calls.
  if (failure instanceof OperatorError) {
    return new ServiceError('ServiceException', `${failure.message} ${failure.remedy}`);
  }
  throw failure;
}

function unknownOperation(method: string, path: string): ServiceError {
  return new ServiceError(
    'UnknownOperationException',
    `Unable to determine service/operation name to be authorized: Lambda has no operation ${method} ${path}`,
  );
}

function unsupported(operation: OperationName): ServiceError {
  const support = OPERATION_SUPPORT[operation];
  const why = support.kind === 'refused' ? support.reason : 'This is a defect.';
  return new ServiceError('NotImplementedException', `Lamella does not support the operation ${operation}. ${why}`);
}
