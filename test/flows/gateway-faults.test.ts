/** What each gateway answers when its function does not: failures, time-outs, throttles, answers that are none, no function. */
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
/** Of a URL the function must be there; without a URL there is no gateway. */
const NAMES_WITH_URL = NAMES.filter((name) => name !== 'absent');

let service: RunningService;
const urls: Record<string, string> = {};
/** Every function through every gateway, asked at the same time: most of it is waiting. */
let asked: Map<string, Promise<Answer>>;

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
  asked = new Map([...Object.values(urls), ...paths].map((path) => [path, send(path)]));
  await Promise.all(asked.values());
}, 60_000);
afterAll(() => service.close());

type Answer = readonly [status: number, body: string];

async function send(path: string): Promise<Answer> {
  const response = await fetch(`${service.lamella.http.url}${path}`);
  return [response.status, await response.text()];
}

const ask = (path: string): Promise<Answer> => asked.get(path) ?? send(path);

/** A function whose answer is no answer of the gateway's kind, and all that failed on the way. */
const FAILED = ['fails', 'exits', 'hangs', 'never-starts', 'misshapen', 'too-much'];

describe('a function URL answers', () => {
  it.each(FAILED)('502 where its function %s', async (name) => {
    expect(await ask(urls[name] ?? '')).toEqual([502, 'Internal Server Error']);
  });

  it('429 with the reason where it is throttled', async () => {
    expect(await ask(urls.throttled ?? '')).toEqual([
      429,
      '{"Reason":"ReservedFunctionConcurrentInvocationLimitExceeded","Type":"User","message":"Rate Exceeded."}',
    ]);
  });
});

describe('an HTTP API answers', () => {
  it.each(FAILED)('500 where its function %s', async (name) => {
    // Of payload 2.0 text is an answer, however long Lambda lets it be.
    expect(await ask(`/http/${name}`)).toEqual([500, '{"message":"Internal Server Error"}']);
    expect(await ask(`/old/${name}`)).toEqual([500, '{"message":"Internal Server Error"}']);
  });

  it('503 where it is throttled, 500 where it cannot be run, 404 where no route is', async () => {
    expect(await ask('/http/throttled')).toEqual([503, '{"message":"Service Unavailable"}']);
    expect(await ask('/http/in-java')).toEqual([500, '{"message":"Internal Server Error"}']);
    expect(await ask('/http/absent')).toEqual([500, '{"message":"Internal Server Error"}']);
    expect(await ask('/_lamella/gateway/http/nowhere')).toEqual([404, '{"message":"Not Found"}']);
  });
});

describe('a REST API answers', () => {
  it.each(FAILED)('502 where its function %s', async (name) => {
    expect(await ask(`/rest/${name}`)).toEqual([502, '{"message": "Internal server error"}']);
  });

  it('500 where it is throttled or cannot be run, 403 where no resource is', async () => {
    expect(await ask('/rest/throttled')).toEqual([500, '{"message": "Internal server error"}']);
    expect(await ask('/rest/absent')).toEqual([500, '{"message": "Internal server error"}']);
    expect(await ask('/_lamella/gateway/rest/nowhere')).toEqual([403, '{"message":"Missing Authentication Token"}']);
  });
});

describe('a load balancer answers', () => {
  it.each([...FAILED, 'throttled', 'absent'])('502 where its function %s', async (name) => {
    expect(await ask(`/alb/${name}`)).toEqual([
      502,
      expect.stringContaining('<center><h1>502 Bad Gateway</h1></center>'),
    ]);
  });

  it('503 where no rule is', async () => {
    expect((await ask('/_lamella/gateway/alb/nowhere'))[0]).toBe(503);
  });
});
