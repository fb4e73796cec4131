/**
 * The CLI's client of the Lambda API: signs a request, sends it, and recognizes AWS errors and servers that are not
 * Lambda. It does not use the AWS SDK: loading the SDK takes longer than an invocation.
 */
import type { ResourceAccounts } from '../admin-api/environments.ts';
import { sleep, systemClock } from '../clock.ts';
import type { ClientResponse } from '../http/client.ts';
import { send } from '../http/client.ts';
import { OperatorError } from '../operator-error.ts';
import { CLIENT_OPTIONS, type ClientOptions, editDistance } from '../options.ts';
import { QUOTAS } from '../protocol/quotas.ts';
import { signRequest } from '../wire/sign-request.ts';

/** What a command calls: a service at one URL, or AWS. */
export type ApiTarget = ClientOptions & {
  /** Of temporary keys of AWS. */
  readonly sessionToken?: string | undefined;
  /** AWS itself: no Lamella is looked for in its place. */
  readonly isRemote?: true;
};

export type InvokeRequest = {
  readonly functionName: string;
  readonly qualifier: string | undefined;
  readonly logType: 'Tail' | 'None';
  /** The event. If it is empty, the function receives `{}`. */
  readonly payload: Buffer;
};

export type InvokeResponse = {
  readonly payload: Buffer;
  readonly executedVersion: string;
  /** Undefined unless the function failed. */
  readonly functionError: string | undefined;
  /** Why the bootstrap or an extension could not be started, in Lamella's words. */
  readonly explanation: string | undefined;
  /** The log from START to REPORT; undefined if it was not requested. */
  readonly log: Buffer | undefined;
  /** Whether `log` is only its last 4 KB, because the rest could not be read. */
  readonly isLogCut: boolean;
};

/**
 * Invokes a function and waits for the response.
 * @throws OperatorError 'service-unreachable', 'service-refused' or 'not-lambda'
 */
export async function invoke(options: ApiTarget, request: InvokeRequest): Promise<InvokeResponse> {
  const url = functionUrl(options, request.functionName, '/invocations');
  if (request.qualifier !== undefined) url.searchParams.set('Qualifier', request.qualifier);
  const headers = { 'content-type': 'application/json', 'x-amz-log-type': request.logType };
  const sentAt = systemClock.epochMs();
  const response = await callApi(options, 'Invoke', { method: 'POST', url, headers, body: request.payload }).catch(
    async (failure: unknown) => {
      const { code } = (failure as { cause?: Partial<AwsError> }).cause ?? {};
      if (!(failure instanceof OperatorError) || code !== 'ResourceNotFoundException') throw failure;
      throw await explainNotFound(options, request, failure);
    },
  );
  // Every response of Lambda to a synchronous invocation has this header, and no other server sends it.
  const executedVersion = header(response, 'x-amz-executed-version');
  if (executedVersion === undefined) throw await notLambda(options, response);
  const logResult = header(response, 'x-amz-log-result');
  const tail = logResult === undefined ? undefined : Buffer.from(logResult, 'base64');
  const requestId = header(response, 'x-amzn-requestid');
  const isCut = tail !== undefined && tail.length >= QUOTAS.logTailBytes;
  const whole = isCut && requestId !== undefined ? await readWholeLog(options, request, requestId, sentAt) : undefined;
  const functionError = header(response, 'x-amz-function-error');
  const isLaunchError = functionError !== undefined && LAUNCH_ERRORS.test(response.body.toString());
  return {
    payload: response.body,
    executedVersion,
    functionError,
    explanation: isLaunchError ? await readExplanation(options, request, sentAt) : undefined,
    log: whole ?? tail,
    isLogCut: isCut && whole === undefined,
  };
}

function functionUrl(options: ApiTarget, functionName: string, suffix: string): URL {
  return new URL(`${options.endpointUrl}/2015-03-31/functions/${encodeURIComponent(functionName)}${suffix}`);
}

/** Errors of programs that could not be started. Lamella logs the reason. */
const LAUNCH_ERRORS = /"errorType":"(Runtime\.InvalidEntrypoint|Extension\.LaunchError)"/;
const EXPLANATION = 'Lamella: ';

/** How far the clock of the service may be behind this one, in milliseconds. */
const CLOCK_SKEW_MS = 5 * 60_000;
/** The log is written after the response. Milliseconds to wait for its end, in steps. */
const LOG_WAIT_MS = 2_000;
const LOG_STEP_MS = 50;

/**
 * Reads the log of an invocation from CloudWatch Logs at the same URL, from START to REPORT. Undefined if the service has
 * no such API or the log is not there.
 */
async function readWholeLog(
  options: ApiTarget,
  { functionName, qualifier }: InvokeRequest,
  requestId: string,
  sentAt: number,
): Promise<Buffer | undefined> {
  try {
    const logGroupName = await findLogGroup(options, functionName, qualifier);
    for (let waitedMs = 0; waitedMs <= LOG_WAIT_MS; waitedMs += LOG_STEP_MS) {
      const log = await readInvocationLog(options, logGroupName, requestId, Math.trunc(sentAt - CLOCK_SKEW_MS));
      if (log !== undefined) return log;
      await sleep(systemClock, LOG_STEP_MS);
    }
    return undefined;
  } catch {
    // The caller reports that the log is cut.
    return undefined;
  }
}

async function findLogGroup(options: ApiTarget, functionName: string, qualifier: string | undefined) {
  const url = functionUrl(options, functionName, '/configuration');
  if (qualifier !== undefined) url.searchParams.set('Qualifier', qualifier);
  const response = await callApi(options, 'GetFunctionConfiguration', {
    method: 'GET',
    url,
    headers: {},
    body: NO_BODY,
  });
  const { LoggingConfig, FunctionName } = JSON.parse(response.body.toString()) as FunctionConfiguration;
  return LoggingConfig?.LogGroup ?? `/aws/lambda/${FunctionName}`;
}

/** Reads why a program could not be started, which only the log stream contains. */
async function readExplanation(options: ApiTarget, request: InvokeRequest, sentAt: number) {
  try {
    const logGroupName = await findLogGroup(options, request.functionName, request.qualifier);
    const filterPattern = `"${EXPLANATION.trim()}"`;
    const page = await callLogs(options, 'FilterLogEvents', {
      logGroupName,
      startTime: Math.trunc(sentAt) - 1_000,
      filterPattern,
    });
    const message = page.events?.at(-1)?.message ?? '';
    const text = message.startsWith('{') ? String((JSON.parse(message) as { message?: unknown }).message) : message;
    return text.startsWith(EXPLANATION) ? text.trimEnd() : undefined;
  } catch {
    return undefined;
  }
}

type FunctionConfiguration = { readonly FunctionName: string; readonly LoggingConfig?: { readonly LogGroup?: string } };
type LogEvent = { readonly timestamp: number; readonly message: string; readonly logStreamName?: string };

/** Undefined if the log does not contain the end of the invocation yet. */
async function readInvocationLog(
  options: ApiTarget,
  logGroupName: string,
  requestId: string,
  startTime: number,
): Promise<Buffer | undefined> {
  let first: LogEvent | undefined;
  for (let nextToken: string | undefined, isFirst = true; first === undefined; isFirst = false) {
    if (!isFirst && nextToken === undefined) return undefined;
    const page = await callLogs(options, 'FilterLogEvents', {
      logGroupName,
      startTime,
      filterPattern: `"${requestId}"`,
      limit: 1,
      ...(nextToken !== undefined && { nextToken }),
    });
    first = page.events?.[0];
    nextToken = page.nextToken;
  }
  const messages: string[] = [];
  for (let nextToken: string | undefined; ; ) {
    const page = await callLogs(options, 'GetLogEvents', {
      logGroupName,
      logStreamName: first.logStreamName,
      startTime: first.timestamp,
      startFromHead: true,
      ...(nextToken !== undefined && { nextToken }),
    });
    for (const { message } of page.events ?? []) {
      const isOwn = message.includes(requestId);
      // Lines of an earlier invocation may have the same time.
      if (messages.length === 0 && !isOwn) continue;
      messages.push(message.endsWith('\n') ? message : `${message}\n`);
      if (isOwn && (message.startsWith('REPORT ') || message.includes('"platform.report"'))) {
        return Buffer.from(messages.join(''));
      }
    }
    if (page.nextForwardToken === undefined || page.nextForwardToken === nextToken) return undefined;
    nextToken = page.nextForwardToken;
  }
}

type LogsPage = {
  readonly events?: readonly LogEvent[];
  readonly nextToken?: string;
  readonly nextForwardToken?: string;
};

async function callLogs(options: ApiTarget, operation: string, input: unknown): Promise<LogsPage> {
  const headers = { 'content-type': 'application/x-amz-json-1.1', 'x-amz-target': `Logs_20140328.${operation}` };
  const base = options.isRemote ? options.endpointUrl.replace('//lambda.', '//logs.') : options.endpointUrl;
  const request = { method: 'POST', url: new URL(`${base}/`), headers };
  const response = await callApi(options, operation, { ...request, body: Buffer.from(JSON.stringify(input)) }, 'logs');
  return JSON.parse(response.body.toString()) as LogsPage;
}

/** Adds to the error where the function is, if the service is Lamella and has it elsewhere or has one of a similar name. */
async function explainNotFound(
  options: ApiTarget,
  { functionName }: InvokeRequest,
  failure: OperatorError,
): Promise<OperatorError> {
  const { code, message } = failure.cause as AwsError;
  const remedy = options.isRemote ? undefined : await findElsewhere(options, functionName).catch(() => undefined);
  if (remedy === undefined) return failure;
  return new OperatorError('service-refused', { operation: 'Invoke', code, message, remedy }, failure.cause);
}

async function findElsewhere(options: ApiTarget, given: string): Promise<string | undefined> {
  const name = /(?:^|:function:)([^:/]+)(?::[^:]+)?$/.exec(given)?.[1] ?? given;
  const url = new URL(`${options.endpointUrl}/_lamella/functions`);
  const headers = signRequest(
    { method: 'GET', url, headers: {}, body: NO_BODY },
    { ...options, service: 'lambda' },
    systemClock.epochMs(),
  );
  const response = await send({ method: 'GET', url, headers, body: NO_BODY });
  if (response.status !== 200) return undefined;
  const { account, functions } = JSON.parse(response.body.toString()) as {
    account: string;
    functions: { name: string; region: string; account: string }[];
  };
  const same = functions.filter((one) => one.name === name);
  const here = same.filter((one) => one.account === account);
  const commands = here.map(({ region }) => `lamella invoke ${name} --region ${region}`);
  if (here.some(({ region }) => region === options.region)) return undefined;
  if (commands.length > 0) {
    return `The function ${name} exists in ${here.map(({ region }) => region).join(', ')}: ${commands.join(' or ')}`;
  }
  const [other] = same;
  if (other) {
    return `The function ${name} exists in the account ${other.account}, region ${other.region}. Restart the service for it: lamella start --account-id ${other.account}`;
  }
  const reachable = functions.filter((one) => one.account === account);
  if (reachable.length === 0) return 'The service has no functions yet. Create one with `aws lambda create-function`.';
  const [similar] = reachable
    .map((one) => ({ ...one, typos: editDistance(name.toLowerCase(), one.name.toLowerCase()) }))
    .filter(({ typos }) => typos <= Math.min(3, name.length / 2))
    .sort((a, b) => a.typos - b.typos || Number(b.region === options.region) - Number(a.region === options.region));
  if (similar === undefined) return undefined;
  const flag = similar.region === options.region ? '' : ` --region ${similar.region}`;
  return `Did you mean ${similar.name}? Run: lamella invoke ${similar.name}${flag}`;
}

const NO_BODY = Buffer.alloc(0);

/** Sends a signed request. @throws OperatorError 'service-unreachable', 'service-refused' or 'not-lambda' */
export async function callApi(
  options: ApiTarget,
  operation: string,
  request: {
    readonly method: string;
    readonly url: URL;
    readonly headers: Record<string, string>;
    readonly body: Buffer;
  },
  service = 'lambda',
): Promise<ClientResponse> {
  const { sessionToken } = options;
  const token = sessionToken === undefined ? {} : { 'x-amz-security-token': sessionToken };
  const signed = { ...request, headers: { ...request.headers, ...token } };
  const headers = signRequest(signed, { ...options, service }, systemClock.epochMs());
  const response = await send({ ...request, headers }).catch((failure: NodeJS.ErrnoException) => {
    const reason = failure.code === 'ECONNREFUSED' ? 'connection refused' : failure.message;
    throw new OperatorError('service-unreachable', { url: options.endpointUrl, reason }, failure);
  });
  if (response.status >= 200 && response.status < 300) return response;
  const error = errorOf(response);
  if (error === undefined) throw await notLambda(options, response);
  const remedy = remedyFor(error.code, response.status);
  throw new OperatorError('service-refused', { operation, ...error, remedy }, error);
}

/** Describes what is at the URL instead of a Lambda API, and where the API is. */
async function notLambda(options: ApiTarget, response: ClientResponse): Promise<OperatorError> {
  const type = header(response, 'content-type')?.split(';')[0];
  const lambda = await findLambda(options);
  const remedy =
    lambda === undefined
      ? 'Set --endpoint-url to the URL of the Lambda API. `lamella start` prints it.'
      : `The Lambda API is at ${lambda}: set --endpoint-url ${lambda}`;
  const described = `${response.status}${type === undefined ? '' : `, ${type}`}`;
  return new OperatorError('not-lambda', { url: options.endpointUrl, response: described, remedy });
}

/** Milliseconds to wait for a service that may be at a URL. */
const PROBE_MS = 1_000;

/** The URL of the Lambda API of the service at this URL, or at the default one; undefined if Lamella is at neither. */
async function findLambda({ endpointUrl }: ClientOptions): Promise<string | undefined> {
  for (const base of [endpointUrl, CLIENT_OPTIONS.endpointUrl.default]) {
    try {
      const url = new URL('/_lamella/service', base);
      const signal = AbortSignal.timeout(PROBE_MS);
      const response = await send({ method: 'GET', url, headers: {}, body: NO_BODY, signal, maxResponseBytes: 10_000 });
      const { lambda } = JSON.parse(response.body.toString()) as { lambda?: unknown };
      if (typeof lambda === 'string' && URL.canParse(lambda)) return lambda;
    } catch {
      // Lamella is not at this URL.
    }
  }
  return undefined;
}

/** Milliseconds to wait for the accounts of a service. */
const ACCOUNTS_MS = 10_000;

/** Reads what a service and its execution environments use; undefined if no service of Lamella is at the URL. */
export async function readAccounts(options: ClientOptions): Promise<ResourceAccounts | undefined> {
  const url = new URL(`${options.endpointUrl}/_lamella/environments`);
  const request = { method: 'GET', url, headers: {}, body: NO_BODY };
  const headers = signRequest(request, { ...options, service: 'lambda' }, systemClock.epochMs());
  try {
    const response = await send({ ...request, headers, signal: AbortSignal.timeout(ACCOUNTS_MS) });
    const accounts = JSON.parse(response.body.toString()) as Partial<ResourceAccounts>;
    const isOurs = response.status === 200 && accounts.service !== undefined && Array.isArray(accounts.environments);
    return isOurs ? (accounts as ResourceAccounts) : undefined;
  } catch {
    return undefined;
  }
}

type AwsError = { readonly code: string; readonly message: string };

/** What to do about the errors that Invoke responds with. */
const REMEDIES: Readonly<Record<string, string>> = {
  ResourceNotFoundException: 'Check the name, --qualifier, --region and --endpoint-url.',
  InvalidRequestContentException: 'Give an event that is valid JSON with --data or --event.',
  RequestEntityTooLargeException: 'Send a smaller event.',
  TooManyRequestsException: "Wait for running invocations to end, or raise the function's concurrency.",
  ResourceConflictException: 'Wait until the function is active.',
  UnrecognizedClientException: 'Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY to a key that the service knows.',
  InvalidSignatureException: 'Set AWS_SECRET_ACCESS_KEY to the secret of AWS_ACCESS_KEY_ID.',
};

function remedyFor(code: string, status: number): string {
  const general = status >= 500 ? 'Look at the log of the service.' : 'Correct the request and try again.';
  return REMEDIES[code] ?? general;
}

/**
 * The code (the header up to a `:`) and the message, whose key has two spellings in AWS's errors. Undefined if it is not a
 * response of the Lambda API. API Gateway's errors have the same header, but another one with its own request ID.
 */
function errorOf(response: ClientResponse): AwsError | undefined {
  const isGateway = ['x-amz-apigw-id', 'apigw-requestid'].some((name) => header(response, name) !== undefined);
  const code = header(response, 'x-amzn-errortype')?.split(':')[0];
  if (isGateway) return undefined;
  try {
    const body: unknown = JSON.parse(response.body.toString());
    if (typeof body !== 'object' || body === null) return undefined;
    const { message, Message, __type } = body as Record<string, unknown>;
    const type = code ?? (typeof __type === 'string' ? __type.split('#').at(-1) : undefined);
    if (type === undefined) return undefined;
    return { code: type, message: String(message ?? Message ?? 'the response has no message') };
  } catch {
    return code === undefined ? undefined : { code, message: response.body.toString().slice(0, 500) };
  }
}

function header(response: ClientResponse, name: string): string | undefined {
  const value = response.headers[name];
  return Array.isArray(value) ? value.join(', ') : value;
}
