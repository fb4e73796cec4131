/**
 * The Lambda API: finds the operation, reads the body up to its quota, parses the input, calls the handler and renders
 * its response or error. The `*-operations.ts` files implement the operations; `api-port.ts` admits callers. Any
 * failure other than the expected ones is a bug and is left to the listener.
 */
import type { EventSourceMappings } from '../event-sources/event-source-mappings.ts';
import type { Functions } from '../functions/functions.ts';
import type { HotDirectories } from '../functions/hot-reload/hot-directories.ts';
import type { FunctionSettings } from '../functions/settings/open-settings.ts';
import { BodyFailure, readBody } from '../http/body.ts';
import type { Provisioner } from '../invocation/provisioner.ts';
import type { LayerPolicies } from '../layers/layer-policies.ts';
import type { Layers } from '../layers/layers.ts';
import { failedSystemCall, OperatorError } from '../operator-error.ts';
import { RESPONSE_HEADERS } from '../protocol/headers.ts';
import type { OperationName } from '../protocol/operations.ts';
import { isOperationName, operationRow } from '../protocol/operations.ts';
import { REQUEST_BYTES, REQUEST_BYTES_DEFAULT, REQUEST_BYTES_NAMES } from '../protocol/quotas.ts';
import { ServiceError } from '../protocol/service-errors.ts';
import {
  type ApiCall,
  type CallContext,
  type InvokeCall,
  OperationFailure,
  type ServiceApi,
} from '../wire/api-call.ts';
import { parseInput, parseMembers, takesBody } from './input/parse-input.ts';
import { createTargets } from './operation-routes.ts';
import { aliasOperations } from './operations/alias-operations.ts';
import { codeSigningOperations } from './operations/code-signing-operations.ts';
import type { ReadObject } from './operations/code-source.ts';
import { concurrencyOperations } from './operations/concurrency-operations.ts';
import { CONTENT_PREFIX, createContentDownloads } from './operations/content.ts';
import { eventInvokeOperations } from './operations/event-invoke-operations.ts';
import { eventSourceOperations, type FindSourceProblem } from './operations/event-source-operations.ts';
import { functionOperations } from './operations/function-operations.ts';
import {
  createInvokeAsyncHandler,
  createInvokeHandler,
  createInvokeOperation,
  createStreamingInvokeHandler,
  type InvokeDependencies,
} from './operations/invoke-operation.ts';
import { layerOperations } from './operations/layer-operations.ts';
import type { OperationHandlers, OperationResponse } from './operations/operation-handler.ts';
import { OPERATION_SUPPORT } from './operations/operation-support.ts';
import { policyOperations } from './operations/policy-operations.ts';
import { accessDenied, ForeignResource } from './operations/references.ts';
import { createRequireRunnable } from './operations/runnable.ts';
import { runtimeOperations } from './operations/runtime-operations.ts';
import { tagOperations } from './operations/tag-operations.ts';
import { type RenderFunctionUrl, urlOperations } from './operations/url-operations.ts';
import { renderError } from './render-error.ts';

export type LambdaApiDependencies = Pick<InvokeDependencies, 'invoke' | 'acceptEvent' | 'clock'> & {
  readonly layers: Layers;
  readonly layerPolicies: LayerPolicies;
  readonly functions: Functions;
  readonly settings: FunctionSettings;
  readonly eventSourceMappings: EventSourceMappings;
  readonly provisioner: Provisioner;
  readonly readObject: ReadObject;
  /** Directories that functions may run from. Without it there are none. */
  readonly hotDirectories?: Pick<HotDirectories, 'admit'> | undefined;
  readonly findSourceProblem?: FindSourceProblem | undefined;
  readonly renderFunctionUrl?: RenderFunctionUrl | undefined;
};

export type LambdaApi = ServiceApi & {
  /** Handles a request whose operation is Invoke. */
  readonly invoke: (call: InvokeCall) => Promise<void>;
};

/** Creates the handler of every request to Lambda on the API port. */
export function createLambdaApi(dependencies: LambdaApiDependencies): LambdaApi {
  const { layers, layerPolicies, functions, settings, eventSourceMappings: mappings, provisioner } = dependencies;
  const { invoke, acceptEvent, readObject, hotDirectories, findSourceProblem, renderFunctionUrl, clock } = dependencies;
  const { policies, codeSigning, aliases, directory, eventInvoke } = settings;
  const downloads = createContentDownloads(layers.contentPath);
  const handlers: OperationHandlers = {
    ...layerOperations({ layers, readObject, downloads }),
    ...functionOperations({ functions, settings, readObject, hotDirectories, downloads }),
    ...aliasOperations({ aliases, directory, provisioner }),
    ...policyOperations({ policies, layerPolicies }),
    ...concurrencyOperations({ settings, provisioner }),
    ...eventInvokeOperations(eventInvoke),
    ...urlOperations({ settings, renderFunctionUrl }),
    ...eventSourceOperations({ mappings, settings, findSourceProblem }),
    ...codeSigningOperations(codeSigning),
    ...runtimeOperations(settings),
    ...tagOperations({ functions, codeSigning, mappings }),
  };
  const handlerOf = (operation: OperationName): AnyHandler => {
    const handler = handlers[operation] as AnyHandler | undefined;
    if (handler === undefined) throw unsupported(operation);
    return handler;
  };
  const targets = createTargets();
  const requireRunnable = createRequireRunnable({ functions, layers });
  const invokeDependencies = { settings, requireRunnable, invoke, acceptEvent, clock };
  const handleInvoke = createInvokeHandler(invokeDependencies);
  const handleStreamingInvoke = createStreamingInvokeHandler(invokeDependencies);
  const handleInvokeAsync = createInvokeAsyncHandler(invokeDependencies);
  const invokeInside = createInvokeOperation(invokeDependencies) as AnyHandler;

  async function answer(call: ApiCall): Promise<void> {
    const { request } = call;
    const { method = 'GET', url = '/' } = request;
    const { path, query, match } = targets.find(method, url);
    if (path.startsWith(CONTENT_PREFIX)) return downloads.serve(call, path, query);
    if (match === undefined) throw unknownOperation(method, path);
    const { operation, pathParameters } = match;
    const raw = { pathParameters, query, headers: request.headers };
    if (operation === 'Invoke') return handleInvoke(call, raw);
    if (operation === 'InvokeWithResponseStream') return handleStreamingInvoke(call, raw);
    if (operation === 'InvokeAsync') return handleInvokeAsync(call, raw);

    const handler = handlerOf(operation);
    const body = takesBody(operation) ? await readBody(request, limitOf(operation)) : NO_BODY;
    sendResponse(call, operation, await handler(parseInput(operation, { ...raw, body }), call));
  }

  function sendFailure(call: InvokeCall, failure: unknown): void {
    if (failure instanceof BodyFailure && failure.reason === 'aborted') return;
    const { method = 'GET', url = '/' } = call.request;
    sendError(call, asServiceError(failure, call, targets.find(method, url).match?.operation));
  }

  return {
    handle: (call) => answer(call).catch((failure: unknown) => sendFailure(call, failure)),
    async invoke(call) {
      try {
        const { method, url, headers } = call.request;
        const { query, match } = targets.find(method ?? 'GET', url ?? '/');
        if (match?.operation !== 'Invoke') throw unknownOperation(method ?? 'GET', url ?? '/');
        await handleInvoke(call, { pathParameters: match.pathParameters, query, headers });
      } catch (failure) {
        sendFailure(call, failure);
      }
    },
    async perform(operation, input, context) {
      const name = isOperationName(operation) ? operation : undefined;
      try {
        if (name === undefined) throw new ServiceError('UnknownOperationException', `Lambda has no ${operation}.`);
        const handler = name === 'Invoke' ? invokeInside : handlerOf(name);
        const { body } = await handler(parseMembers(name, input), context);
        return body ?? {};
      } catch (failure) {
        const error = asServiceError(failure, context, name);
        const { status, headers } = renderError(error);
        throw new OperationFailure(String(headers[RESPONSE_HEADERS.errorType]), status, error.message, failure);
      }
    },
  };
}

/** A handler whose input was parsed for its own operation. */
type AnyHandler = (input: unknown, call: CallContext) => OperationResponse | Promise<OperationResponse>;

const NO_BODY = Buffer.alloc(0);

function limitOf(operation: OperationName): number {
  return (REQUEST_BYTES as Readonly<Record<string, number>>)[operation] ?? REQUEST_BYTES_DEFAULT;
}

function sendResponse(
  { response, requestId }: ApiCall,
  operation: OperationName,
  { body, status }: OperationResponse,
): void {
  const code = status ?? operationRow(operation).status;
  if (body === undefined) {
    response
      .writeHead(code, { [RESPONSE_HEADERS.requestId]: requestId, ...(code !== 204 && { 'Content-Length': 0 }) })
      .end();
    return;
  }
  const json = JSON.stringify(body);
  response
    .writeHead(code, {
      [RESPONSE_HEADERS.requestId]: requestId,
      'Content-Type': 'application/json',
      'Content-Length': Buffer.byteLength(json),
    })
    .end(json);
}

function sendError({ response, requestId }: InvokeCall, error: ServiceError): void {
  const { status, headers, body } = renderError(error);
  response
    .writeHead(status, {
      [RESPONSE_HEADERS.requestId]: requestId,
      ...headers,
      'Content-Type': 'application/json',
      'Content-Length': Buffer.byteLength(body),
    })
    .end(body);
}

function asServiceError(
  failure: unknown,
  { scope }: Pick<CallContext, 'scope'>,
  operation: OperationName | undefined,
): ServiceError {
  if (failure instanceof ServiceError) return failure;
  if (failure instanceof ForeignResource && operation !== undefined) return accessDenied(scope, operation, failure.arn);
  if (failure instanceof BodyFailure && failure.reason === 'busy') {
    return new ServiceError('TooManyRequestsException', failure.message, { Reason: 'CallerRateLimitExceeded' });
  }
  if (failure instanceof BodyFailure) {
    const name = operation === undefined ? 'requested' : (REQUEST_BYTES_NAMES[operation] ?? operation);
    return new ServiceError(
      'RequestTooLargeException',
      `Request must be smaller than ${failure.limitBytes} bytes for the ` + `${name} operation`,
    );
  }
  // This machine cannot do it. Send the remedy, because the user of the client is probably the one who can fix it.
  const problem = failure instanceof OperatorError ? failure : failedSystemCall(failure, 'the service');
  if (problem !== undefined) return new ServiceError('ServiceException', `${problem.message} ${problem.remedy}`);
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
  const reason = support.kind === 'refused' ? support.reason : 'This is a bug in Lamella.';
  return new ServiceError('NotImplementedException', `Lamella does not support the operation ${operation}. ${reason}`);
}
