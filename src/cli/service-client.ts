/**
 * The calls that the commands make to a running service, or to AWS with `--remote`: Lambda, CloudWatch Logs and SQS by
 * their public APIs, schedules and gateways by Lamella's admin API. Which service and which keys is decided once, in
 * `clientOf`: made-up keys never go to AWS, and an endpoint that is set never stands for AWS.
 */
import type { Given } from '../options.ts';
import { resolveClientOptions, resolveToolOptions } from '../options.ts';
import { parseJson } from '../protocol/json.ts';
import { type ApiTarget, callApi } from './api-client.ts';
import { awsUrlOf } from './aws-hosts.ts';
import { locateService } from './running-service.ts';
import { keysOf } from './tool-environment.ts';

export type ServiceClient = {
  readonly target: ApiTarget;
  /** A GET request of the Lambda API. */
  lambda(operation: string, path: string, query?: Readonly<Record<string, string>>): Promise<Json>;
  logs(operation: string, input: Json): Promise<Json>;
  sqs(operation: string, input: Json): Promise<Json>;
  /** An operation of the admin API, by its path below /_lamella. */
  admin(method: 'GET' | 'POST', path: string): Promise<Json>;
};

// biome-ignore lint/suspicious/noExplicitAny: responses of services, of which the caller reads single members
export type Json = Readonly<Record<string, any>>;

/** The client for the options of a command. @throws OperatorError 'usage', or 'no-aws-keys' for `--remote` without keys */
export async function clientOf(given: Given, command: string): Promise<ServiceClient> {
  return createClient(await targetOf(given, command));
}

/** The service that a command calls: AWS with `--remote`, otherwise the one that runs here. */
export async function targetOf(given: Given, command: string): Promise<ApiTarget> {
  if (given.remote) {
    const { remoteTarget } = await import('./remote-target.ts');
    return remoteTarget(given, command);
  }
  const options = locateService(resolveToolOptions(given, command), given);
  const { accessKeyId, secretAccessKey } = resolveClientOptions({}, command);
  const keys = options.accessKeys.size > 0 ? keysOf(options) : { accessKeyId, secretAccessKey };
  return { endpointUrl: options.endpointUrl, region: options.region, ...keys };
}

function createClient(target: ApiTarget): ServiceClient {
  const send = async (
    service: string,
    operation: string,
    { method = 'POST', path = '/', headers = {}, input }: Sent,
  ): Promise<Json> => {
    const url = new URL(path, `${urlOf(target, service)}/`);
    const body = input === undefined ? Buffer.alloc(0) : Buffer.from(JSON.stringify(input));
    const response = await callApi(target, operation, { method, url, headers, body }, service);
    return response.body.length === 0 ? {} : (parseJson(response.body.toString()) as Json);
  };
  const json = (service: string, prefix: string, version: string) => (operation: string, input: Json) =>
    send(service, operation, {
      headers: { 'content-type': `application/x-amz-json-${version}`, 'x-amz-target': `${prefix}.${operation}` },
      input,
    });
  return {
    target,
    lambda(operation, path, query = {}) {
      const search = new URLSearchParams(query).toString();
      return send('lambda', operation, { method: 'GET', path: search === '' ? path : `${path}?${search}` });
    },
    logs: json('logs', 'Logs_20140328', '1.1'),
    sqs: json('sqs', 'AmazonSQS', '1.0'),
    admin: (method, path) => send('lambda', `${method} /_lamella${path}`, { method, path: `/_lamella${path}` }),
  };
}

type Sent = {
  readonly method?: string;
  readonly path?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly input?: Json;
};

/** AWS has one host for each service. */
function urlOf({ endpointUrl, isRemote, region }: ApiTarget, service: string): string {
  return isRemote ? awsUrlOf(service, region) : endpointUrl;
}
