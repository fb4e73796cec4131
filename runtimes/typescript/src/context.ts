/** The `context` argument of handlers. https://docs.aws.amazon.com/lambda/latest/dg/nodejs-context.html */
import type { Invocation } from '../../../src/runtime-client/runtime-client.ts';

/** The members of the context that are the same for every invocation. */
export type FunctionFacts = ReturnType<typeof readFunctionFacts>;

/** Reads them once, because every access to a variable is a call out of JavaScript. */
export function readFunctionFacts(variables: NodeJS.ProcessEnv) {
  return {
    functionVersion: variables.AWS_LAMBDA_FUNCTION_VERSION,
    functionName: variables.AWS_LAMBDA_FUNCTION_NAME,
    memoryLimitInMB: variables.AWS_LAMBDA_FUNCTION_MEMORY_SIZE,
    logGroupName: variables.AWS_LAMBDA_LOG_GROUP_NAME,
    logStreamName: variables.AWS_LAMBDA_LOG_STREAM_NAME,
  };
}

/** The context of one invocation. Throws if the client context is not JSON. */
export function createContext(facts: FunctionFacts, invocation: Invocation, hasCallbacks: boolean): Context {
  const { deadlineMs } = invocation;
  // Member by member, because spreading `facts` costs several times as much in every invocation.
  const context: Context = {
    functionVersion: facts.functionVersion,
    functionName: facts.functionName,
    memoryLimitInMB: facts.memoryLimitInMB,
    logGroupName: facts.logGroupName,
    logStreamName: facts.logStreamName,
    clientContext: parse(invocation.clientContext, 'ClientContext'),
    identity: parse(invocation.cognitoIdentity, 'CognitoIdentity'),
    invokedFunctionArn: invocation.invokedFunctionArn,
    awsRequestId: invocation.requestId,
    tenantId: invocation.tenantId,
    xRayTraceId: invocation.traceId,
    getRemainingTimeInMillis: () => deadlineMs - Date.now(),
  };
  // Without callbacks this member has no meaning, and AWS removed both together.
  if (hasCallbacks) context.callbackWaitsForEmptyEventLoop = true;
  return context;
}

export type Context = FunctionFacts & {
  callbackWaitsForEmptyEventLoop?: boolean;
  readonly clientContext: unknown;
  readonly identity: unknown;
  readonly invokedFunctionArn: string;
  readonly awsRequestId: string;
  readonly tenantId: string | undefined;
  readonly xRayTraceId: string | undefined;
  getRemainingTimeInMillis(): number;
};

function parse(json: string | undefined, name: string): unknown {
  if (json === undefined) return undefined;
  try {
    return JSON.parse(json);
  } catch (failure) {
    throw new Error(`Cannot parse ${name} as json: ${String(failure)}`);
  }
}
