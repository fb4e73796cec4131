/**
 * Calls of AWS's APIs that a deployment needs, to AWS or to another endpoint: signed, retried where AWS asks for it, with
 * errors as values of one class. Which keys go to which endpoint is decided before (`cli/cloud-target.ts`).
 */
import { type Clock, sleepAwake } from '../../clock.ts';
import { type ClientResponse, send } from '../../http/client.ts';
import { OperatorError } from '../../operator-error.ts';
import { signRequest } from '../../wire/sign-request.ts';
import { parseXml, type XmlElement } from '../../wire/xml.ts';

/** Where a deployment goes, and with which keys. */
export type CloudTarget = {
  readonly region: string;
  /** The URL of every service. Undefined for AWS, which has a host for each. */
  readonly endpointUrl: string | undefined;
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string | undefined;
};

export type CloudCall = {
  /** `cloudformation`, `s3`, `sts`, as in the credential scope. */
  readonly service: string;
  /** For messages. */
  readonly operation: string;
  readonly method: 'GET' | 'HEAD' | 'PUT' | 'POST' | 'DELETE';
  /** Encoded, with a leading slash. */
  readonly path: string;
  readonly query?: Readonly<Record<string, string>>;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Buffer;
  readonly signal?: AbortSignal | undefined;
};

/** A service responded with an error. */
export class CloudFailure extends Error {
  readonly code: string;
  readonly status: number;
  readonly operation: string;
  readonly response: ClientResponse;

  constructor(operation: string, code: string, message: string, response: ClientResponse) {
    super(message);
    this.name = 'CloudFailure';
    this.operation = operation;
    this.code = code;
    this.status = response.status;
    this.response = response;
  }
}

export type CloudClient = {
  readonly target: CloudTarget;
  readonly clock: Clock;
  /** @throws CloudFailure, OperatorError 'cloud-unreachable' */
  call(call: CloudCall): Promise<ClientResponse>;
  /** The URL of an object as CloudFormation takes it for a template. */
  objectUrl(bucket: string, key: string): string;
};

const MAX_ATTEMPTS = 5;
const FIRST_PAUSE_MS = 200;
/** For a response, and for each byte of an upload more: 50 kB a second. */
const TIMEOUT_MS = 120_000;
const SLOWEST_BYTES_PER_MS = 50;
const THROTTLED =
  /^(Throttling|ThrottlingException|RequestLimitExceeded|TooManyRequestsException|SlowDown|RequestTimeout)$/;

export function createCloudClient(target: CloudTarget, clock: Clock): CloudClient {
  return {
    target,
    clock,
    objectUrl: (bucket, key) =>
      `${baseUrl(target, 's3')}/${bucket}/${key.split('/').map(encodeURIComponent).join('/')}`,
    async call(call) {
      for (let attempt = 1; ; attempt += 1) {
        call.signal?.throwIfAborted();
        const result = await attemptCall(target, clock, call);
        if (!('failure' in result)) return result.response;
        if (!result.isTemporary || attempt === MAX_ATTEMPTS) throw result.failure;
        await sleepAwake(clock, FIRST_PAUSE_MS * 2 ** (attempt - 1), call.signal);
      }
    },
  };
}

type Attempt = { readonly response: ClientResponse } | { readonly failure: Error; readonly isTemporary: boolean };

async function attemptCall(target: CloudTarget, clock: Clock, call: CloudCall): Promise<Attempt> {
  const { service, operation, method, path, query = {}, body = Buffer.alloc(0), signal } = call;
  const url = new URL(`${baseUrl(target, service)}${path}`);
  for (const [name, value] of Object.entries(query)) url.searchParams.set(name, value);
  const token = target.sessionToken === undefined ? {} : { 'x-amz-security-token': target.sessionToken };
  const request = { method, url, headers: { ...call.headers, ...token }, body };
  const headers = signRequest(request, { ...target, service }, clock.epochMs());
  let response: ClientResponse;
  // Without it, a lost connection would keep the deployment waiting forever.
  const timeout = AbortSignal.timeout(Math.ceil(TIMEOUT_MS + body.length / SLOWEST_BYTES_PER_MS));
  try {
    response = await send({ ...request, headers, signal: signal ? AbortSignal.any([signal, timeout]) : timeout });
  } catch (failure) {
    signal?.throwIfAborted();
    const { code = '', message } = failure as NodeJS.ErrnoException;
    const reason = timeout.aborted ? 'no response' : code === 'ECONNREFUSED' ? 'connection refused' : message;
    const isTemporary = timeout.aborted || /^(ECONNRESET|EPIPE|ETIMEDOUT|EAI_AGAIN)$/.test(code);
    return { failure: new OperatorError('cloud-unreachable', { url: url.origin, reason }, failure), isTemporary };
  }
  if (response.status >= 200 && response.status < 300) return { response };
  const failure = failureOf(operation, response);
  return { failure, isTemporary: response.status >= 500 ? response.status !== 501 : THROTTLED.test(failure.code) };
}

function baseUrl({ endpointUrl, region }: CloudTarget, service: string): string {
  if (endpointUrl !== undefined) return endpointUrl;
  return `https://${service}.${region}.${region.startsWith('cn-') ? 'amazonaws.com.cn' : 'amazonaws.com'}`;
}

/** The error of an XML response; a HEAD request has none, so that the status is the code. */
function failureOf(operation: string, response: ClientResponse): CloudFailure {
  const document = parseXml(response.body.toString());
  const error = document === undefined ? undefined : document.name === 'Error' ? document : descend(document, 'Error');
  const code = error === undefined ? undefined : textAt(error, 'Code');
  const message = error === undefined ? undefined : textAt(error, 'Message');
  const excerpt = response.body.toString().trim().slice(0, 200);
  return new CloudFailure(
    operation,
    code ?? String(response.status),
    message ?? (excerpt || `status ${response.status}`),
    response,
  );
}

/** The first child with this name. */
export function descend(element: XmlElement, ...names: readonly string[]): XmlElement | undefined {
  return names.reduce<XmlElement | undefined>((at, name) => at?.children.find((child) => child.name === name), element);
}

/** The text of a child; undefined if it is absent. */
export function textAt(element: XmlElement, name: string): string | undefined {
  return descend(element, name)?.text;
}

/** The structures of a list: `<Stacks><member>...`. */
export function membersAt(element: XmlElement | undefined, name: string): readonly XmlElement[] {
  const list = element === undefined ? undefined : descend(element, name);
  return list?.children.filter((child) => child.name === 'member') ?? [];
}

/** Input of the query protocol: texts, lists of texts, lists of structures. */
export type QueryInput = Readonly<Record<string, QueryValue | undefined>>;
export type QueryValue =
  | string
  | boolean
  | readonly string[]
  | readonly Readonly<Record<string, string | boolean | undefined>>[];

/** Calls an operation of the query protocol and returns its result element. @throws CloudFailure */
export async function callQuery(
  client: CloudClient,
  { service, version }: { readonly service: string; readonly version: string },
  operation: string,
  input: QueryInput,
  signal?: AbortSignal,
): Promise<XmlElement> {
  const form = new URLSearchParams({ Action: operation, Version: version });
  for (const [name, value] of Object.entries(input)) addField(form, name, value);
  const response = await client.call({
    service,
    operation,
    method: 'POST',
    path: '/',
    headers: { 'content-type': 'application/x-www-form-urlencoded; charset=utf-8' },
    body: Buffer.from(form.toString()),
    signal,
  });
  const document = parseXml(response.body.toString());
  if (document === undefined) {
    throw new CloudFailure(
      operation,
      'InvalidResponse',
      `the response is not XML: ${response.body.toString().slice(0, 200)}`,
      response,
    );
  }
  return descend(document, `${operation}Result`) ?? document;
}

function addField(form: URLSearchParams, name: string, value: QueryValue | undefined): void {
  if (value === undefined) return;
  if (typeof value !== 'object') {
    form.set(name, String(value));
    return;
  }
  value.forEach((item, index) => {
    const at = `${name}.member.${index + 1}`;
    if (typeof item === 'string') form.set(at, item);
    else
      for (const [key, member] of Object.entries(item))
        if (member !== undefined) form.set(`${at}.${key}`, String(member));
  });
}
