/** Responses of each kind of gateway to faults: failures, timeouts, throttles, invalid responses, missing functions. */
import { CreateFunctionUrlConfigCommand, PutFunctionConcurrencyCommand } from '@aws-sdk/client-lambda';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { shellRuntime } from '../support/function-zip.ts';
import { type RunningService, startService } from '../support/running-service.ts';

const FUNCTIONS = {
  fails: { bootstrap: shellRuntime(`fail '{"errorMessage":"no"}'`) },
  exits: { bootstrap: shellRuntime('exit 3') },
  hangs: { bootstrap: shellRuntime('sleep 60') },
  'never-starts': { bootstrap: '#!/bin/sh\nexit 1\n' },
  misshapen: { bootstrap: shellRuntime(`respond '{"statusCode":"x"}'`) },
  'too-much': { bootstrap: shellRuntime(`head -c 6400000 /dev/zero | tr '\\0' x > /tmp/much; respond @/tmp/much`) },
  throttled: { bootstrap: shellRuntime('respond {}') },
} as const;
const NAMES = [...Object.keys(FUNCTIONS), 'in-java', 'absent'];
/** A URL cannot be created for a function that does not exist. */
const NAMES_WITH_URL = NAMES.filter((name) => name !== 'absent');

let service: RunningService;
const urls: Record<string, string> = {};
/** The responses of every function through every gateway. Requested at once, because most of the time is waiting. */
let responses: Map<string, Promise<StatusAndBody>>;

beforeAll(async () => {
  const routes = NAMES.flatMap((name) => [
    `GET /http/${name} -> ${name}`,
    `http-1.0 GET /old/${name} -> ${name}`,
    `rest GET /rest/${name} -> ${name}`,
    `alb /alb/${name} -> ${name}`,
  ]);
  service = await startService({ routes, logLevel: 'silent' });
  await Promise.all([
    ...Object.entries(FUNCTIONS).map(([name, files]) =>
      service.createFunction(name, files, { Timeout: name === 'hangs' ? 1 : 10 }),
    ),
    service.createFunction('in-java', { 'Main.class': 'x' }, { Runtime: 'java21', Handler: 'Main::run' }),
  ]);
  await service.client.send(
    new PutFunctionConcurrencyCommand({ FunctionName: 'throttled', ReservedConcurrentExecutions: 0 }),
  );
  for (const FunctionName of NAMES_WITH_URL) {
    const { FunctionUrl = '' } = await service.client.send(
      new CreateFunctionUrlConfigCommand({ FunctionName, AuthType: 'NONE' }),
    );
    urls[FunctionName] = `/_lamella/url/${new URL(FunctionUrl).hostname.split('.')[0]}`;
  }
  const paths = NAMES.flatMap((name) => ['/http/', '/old/', '/rest/', '/alb/'].map((gateway) => `${gateway}${name}`));
  responses = new Map([...Object.values(urls), ...paths].map((path) => [path, send(path)]));
  await Promise.all(responses.values());
}, 60_000);
afterAll(() => service.close());

type StatusAndBody = readonly [status: number, body: string];

async function send(path: string): Promise<StatusAndBody> {
  const response = await fetch(`${service.lamella.http.url}${path}`);
  return [response.status, await response.text()];
}

const get = (path: string): Promise<StatusAndBody> => responses.get(path) ?? send(path);

/** Functions that fail, or whose response is invalid for every kind of gateway. */
const FAILED = ['fails', 'exits', 'hangs', 'never-starts', 'misshapen', 'too-much'];

describe('a function URL returns', () => {
  it.each(FAILED)('502 for the function "%s"', async (name) => {
    expect(await get(urls[name] ?? '')).toEqual([502, 'Internal Server Error']);
  });

  it('429 with the reason for a throttled function', async () => {
    expect(await get(urls.throttled ?? '')).toEqual([
      429,
      '{"Reason":"ReservedFunctionConcurrentInvocationLimitExceeded","Type":"User","message":"Rate Exceeded."}',
    ]);
  });
});

describe('an HTTP API returns', () => {
  it.each(FAILED)('500 for the function "%s"', async (name) => {
    // Payload 2.0 accepts any text as a response, up to the limit of Lambda.
    expect(await get(`/http/${name}`)).toEqual([500, '{"message":"Internal Server Error"}']);
    expect(await get(`/old/${name}`)).toEqual([500, '{"message":"Internal Server Error"}']);
  });

  it('503 for a throttled function, 500 for one that cannot run, 404 without a route', async () => {
    expect(await get('/http/throttled')).toEqual([503, '{"message":"Service Unavailable"}']);
    expect(await get('/http/in-java')).toEqual([500, '{"message":"Internal Server Error"}']);
    expect(await get('/http/absent')).toEqual([500, '{"message":"Internal Server Error"}']);
    expect(await get('/_lamella/gateway/http/nowhere')).toEqual([404, '{"message":"Not Found"}']);
  });
});

describe('a REST API returns', () => {
  it.each(FAILED)('502 for the function "%s"', async (name) => {
    expect(await get(`/rest/${name}`)).toEqual([502, '{"message": "Internal server error"}']);
  });

  it('500 for a function that is throttled or cannot run, 403 without a resource', async () => {
    expect(await get('/rest/throttled')).toEqual([500, '{"message": "Internal server error"}']);
    expect(await get('/rest/absent')).toEqual([500, '{"message": "Internal server error"}']);
    expect(await get('/_lamella/gateway/rest/nowhere')).toEqual([403, '{"message":"Missing Authentication Token"}']);
  });
});

describe('a load balancer returns', () => {
  it.each([...FAILED, 'throttled', 'absent'])('502 for the function "%s"', async (name) => {
    expect(await get(`/alb/${name}`)).toEqual([
      502,
      expect.stringContaining('<center><h1>502 Bad Gateway</h1></center>'),
    ]);
  });

  it('503 without a rule', async () => {
    expect((await get('/_lamella/gateway/alb/nowhere'))[0]).toBe(503);
  });
});
