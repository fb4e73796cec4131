/**
 * Each JSON type as each member of a response, for each kind of gateway. Sources of the expectations: the header of
 * `response-rules.ts`. The same member may be accepted by one kind and refused by another.
 */
import { describe, expect, it } from 'vitest';
import { type FunctionResponse, parseFunctionResponse } from './function-response.ts';
import { MalformedResponse } from './proxy-integration.ts';
import type { ResponseKind } from './response-rules.ts';

const KINDS: readonly ResponseKind[] = ['function-url', 'http-api-2.0', 'http-api-1.0', 'rest-api', 'load-balancer'];

function parse(kind: ResponseKind, response: object): FunctionResponse | 'refused' {
  try {
    return parseFunctionResponse({ statusCode: 200, ...response }, kind);
  } catch (failure) {
    if (!(failure instanceof MalformedResponse)) throw failure;
    return 'refused';
  }
}

const memberOf =
  (member: keyof FunctionResponse, response: object) =>
  (kind: ResponseKind): unknown => {
    const parsed = parse(kind, response);
    return parsed === 'refused' ? parsed : parsed[member];
  };

/** The results for the kinds, in the order of KINDS. */
const R = 'refused';
const TABLE: readonly (readonly [
  what: string,
  result: (kind: ResponseKind) => unknown,
  expected: readonly unknown[],
])[] = [
  ['a status in digits', memberOf('status', { statusCode: '418' }), [418, 418, 418, 418, R]],
  ['a status that is null', memberOf('status', { statusCode: null }), [R, R, R, R, R]],
  ['a status that is true', memberOf('status', { statusCode: true }), [R, R, R, R, R]],
  ['a fraction as status', memberOf('status', { statusCode: 200.5 }), [R, R, R, R, R]],
  ['no body', memberOf('body', {}), ['', '', '', '', '']],
  ['a body that is null', memberOf('body', { body: null }), ['', '', '', '', R]],
  ['a body that is a number', memberOf('body', { body: 3 }), ['3', R, R, '3', R]],
  ['a body that is false', memberOf('body', { body: false }), ['false', R, R, 'false', R]],
  ['a body that is an object', memberOf('body', { body: { a: [1] } }), ['{"a":[1]}', R, R, R, R]],
  ['a body that is an array', memberOf('body', { body: ['a', 2] }), ['["a",2]', R, R, R, R]],
  ['a boolean header', memberOf('headers', { headers: { a: true } }), [...Array(4).fill([['a', 'true']]), R]],
  ['a numeric header', memberOf('headers', { headers: { a: 52 } }), [...Array(4).fill([['a', '52']]), R]],
  ['a header that is null', memberOf('headers', { headers: { a: null } }), [[], [], [], [], R]],
  ['a header that is an array', memberOf('headers', { headers: { a: ['b'] } }), [R, R, R, R, R]],
  ['headers that are null', memberOf('headers', { headers: null }), [[], [], [], [], R]],
  ['headers that are an array', memberOf('headers', { headers: [] }), [R, R, R, R, R]],
  [
    'multi-value headers',
    memberOf('multiValueHeaders', { multiValueHeaders: { a: ['1'] } }),
    [[], [], [['a', '1']], [['a', '1']], [['a', '1']]],
  ],
  [
    'numbers in multi-value headers',
    memberOf('multiValueHeaders', { multiValueHeaders: { a: [1] } }),
    [[], [], [['a', '1']], [['a', '1']], R],
  ],
  ['text as multi-value header', memberOf('body', { multiValueHeaders: { a: 'b' } }), ['', '', R, R, R]],
  ['cookies', memberOf('cookies', { cookies: ['a=1'] }), [['a=1'], ['a=1'], [], [], []]],
  ['cookies that are text', memberOf('cookies', { cookies: 'a=1' }), [R, R, [], [], []]],
  ['a status description that is null', memberOf('body', { statusDescription: null }), ['', '', '', '', R]],
  [
    'isBase64Encoded that is null',
    memberOf('isBase64Encoded', { isBase64Encoded: null }),
    [...Array(4).fill(false), R],
  ],
  ['isBase64Encoded in text', memberOf('isBase64Encoded', { isBase64Encoded: 'true' }), [...Array(4).fill(true), R]],
];

describe('a function URL, HTTP API 2.0 and 1.0, REST API and load balancer', () => {
  it.each(TABLE)('accept or refuse %s', (_, result, expected) => {
    expect(KINDS.map(result)).toEqual(expected);
  });
});

it('the reason for a refused response names the member, the types that are accepted, and the one that was sent', () => {
  const parseBody = (body: unknown) => () => parseFunctionResponse({ statusCode: 200, body }, 'load-balancer');
  expect(parseBody(null)).toThrow('`body` must be a string, not null');
  expect(parseBody({})).toThrow('`body` must be a string, not object. Encode it with JSON.stringify');
});
