/** Properties of every operation, tested with requests generated from the model and with random requests. */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { brokenRequests, type ModelRequest, validRequest } from '../../test/support/model-requests.ts';
import { ROLE, type RunningLambdaApi, SCOPE, someCode, startLambdaApi } from '../../test/support/running-lambda-api.ts';
import type { FunctionName } from '../protocol/names.ts';
import { OPERATION_NAMES } from '../protocol/operations.ts';
import { SERVICE_ERRORS } from '../protocol/service-errors.ts';
import { OPERATION_SUPPORT } from './operations/operation-support.ts';

const NAME = 'model-made' as FunctionName;

let api: RunningLambdaApi;
beforeAll(async () => {
  api = await startLambdaApi();
});
// The function that the generated requests name, so that they get past its look-up.
beforeEach(async () => {
  const scope = SCOPE;
  if (api.settings.directory.hasFunction(scope, NAME)) return;
  await api.functions.create(scope, {
    name: NAME,
    packageType: 'Zip',
    architecture: 'x86_64',
    configuration: { role: ROLE, runtime: 'provided.al2023', handler: 'h' },
    code: { kind: 'zip', zip: await someCode() },
    publish: true,
    tags: {},
  });
});
afterAll(async () => {
  expect(api.failures).toEqual([]);
  await api.close();
});

async function send({ method, path, headers, body }: ModelRequest) {
  const response = await fetch(`${api.url}${path}`, { method, headers, ...(body && method !== 'GET' && { body }) });
  return { status: response.status, type: response.headers.get('x-amzn-errortype'), text: await response.text() };
}

const IMPLEMENTED = OPERATION_NAMES.filter((name) => ['supported', 'stored'].includes(OPERATION_SUPPORT[name].kind));
const REFUSED = OPERATION_NAMES.filter((name) => !IMPLEMENTED.includes(name));
const ERROR_TYPES = new Set(
  Object.entries(SERVICE_ERRORS).map(([name, row]) => ('wireName' in row && row.wireName ? row.wireName : name)),
);

describe.each(IMPLEMENTED)('%s', (operation) => {
  it('accepts what the model allows and responds with its status or an AWS error', async () => {
    for (const minimal of [true, false]) {
      const { status, type, text } = await send(validRequest(operation, minimal));
      expect(['ValidationException', 'SerializationException'], text).not.toContain(type);
      expect(status, text).toBeLessThan(500);
      if (status >= 400) {
        expect(ERROR_TYPES).toContain(type);
        expect(JSON.parse(text)).toEqual(expect.any(Object));
      }
    }
  });

  it('refuses input that violates a constraint of the model, as AWS does', async () => {
    for (const request of brokenRequests(operation)) {
      const { status, type, text } = await send(request);
      expect([status, type], `${request.what}: ${text}`).toEqual([400, request.expected]);
    }
  });
});

it.each(REFUSED)('%s is refused by name', async (operation) => {
  const { status, type, text } = await send(validRequest(operation, true));
  expect([status, type]).toEqual([501, 'NotImplementedException']);
  expect(text).toContain(operation);
});

it('random requests never cause a 500', async () => {
  // A seeded generator, so that a failure can be reproduced.
  let state = 20_261_122;
  const random = (below: number) => {
    state = (state * 1_103_515_245 + 12_345) % 2_147_483_648;
    return Math.floor((state / 2_147_483_648) * below);
  };
  const pick = <Item>(items: readonly Item[]): Item => items[random(items.length)] as Item;
  const bodies = [
    '',
    '{',
    'null',
    '[]',
    '"x"',
    '1e999',
    '{"__proto__":{"a":1},"constructor":1}',
    '[[[['.repeat(1000),
    '{"FunctionName":{"toString":1}}',
    '{"Code":{"ZipFile":"UEsFBgAAAAAAAAAAAAAAAAAAAAAAAA=="}}',
    Buffer.from([0xff, 0xfe, 0x00]),
  ];
  const parts = [
    '',
    '%',
    '%00',
    '..',
    '%2e%2e',
    'x',
    '1',
    '-1',
    '99999999999999999999',
    '%F0%9F%98%80',
    '$LATEST',
    'a:b:c:d:e:f:g',
  ];
  const paths = OPERATION_NAMES.map((name) => validRequest(name, false).path);
  for (let round = 0; round < 1500; round++) {
    const [path = '/', query = ''] = pick(paths).split('?');
    const segments = path.split('/');
    segments[random(segments.length)] = pick(parts);
    const target = `/${segments.join('/').replace(/^\/+/, '')}?${random(2) ? query : ''}&${pick(['', 'MaxItems=x', 'Marker=%FF', 'Qualifier=', 'tagKeys=__proto__', 'find=LayerVersion', 'VersionNumber=NaN'])}`;
    const method = pick(['GET', 'POST', 'PUT', 'DELETE', 'HEAD', 'PATCH', 'OPTIONS']);
    const body = method === 'GET' || method === 'HEAD' ? undefined : pick(bodies);
    const headers = {
      'x-amz-invocation-type': pick(['RequestResponse', 'Event', 'DryRun', 'x']),
      'x-amz-client-context': pick(['', '=', 'e30=', 'bm9wZQ==']),
      'x-amzn-trace-id': pick(['', 'Root=', 'Root=1-2-3;Parent=x', ';;;=']),
    };
    const response = await fetch(`${api.url}${target}`, { method, headers, ...(body !== undefined && { body }) });
    expect(response.status === 501 || response.status < 500, `${method} ${target} ${String(body).slice(0, 80)}`).toBe(
      true,
    );
    await response.arrayBuffer();
  }
});
