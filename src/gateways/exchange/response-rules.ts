/**
 * Which JSON types each kind of gateway accepts for each member of a function response. `function-response.ts` applies
 * this table; the docs of each rule are in docs/behavior/http-gateways.md. AWS's documentation gives one type per member
 * and does not say what happens to others, so most rows come from recordings and reports:
 *
 * - load balancer: headers that are numbers or booleans are 502 (serverless-express issues 563 and 688, lambda-api issue
 *   117), `body: null` is 502 and no body is not (recorded, aws-lambda-go issue 438), `statusDescription: null` is 502
 *   (aws-lambda-dotnet issue 507), as is `null` elsewhere (elb-application-load-balancers-user-guide issue 33). A
 *   `statusCode` or `isBase64Encoded` in text is assumed to be refused like a header that is not text.
 * - HTTP API: a body that is not text is 500, "Lambda body contains the wrong type for field "body"" (recorded,
 *   aws-lambda-go pull request 373).
 * - function URL: `statusCode` in digits (recorded, LocalStack's test suite), a body that is not text is JSON (recorded).
 * - REST API: boolean and numeric headers are accepted (AWS's own CORS examples); an object as body is 502 (serverless
 *   issue 2914). Scalars as body are assumed to be accepted like those headers.
 *
 * `null` is the same as no member, except for a load balancer: .NET functions send `null` for everything they do not set.
 */

export type JsonType = 'absent' | 'null' | 'boolean' | 'number' | 'string' | 'array' | 'object';
export type ResponseKind = 'function-url' | 'http-api-2.0' | 'http-api-1.0' | 'rest-api' | 'load-balancer';

/** The accepted types of a member. `ignored`: the kind does not read the member, whatever its value. */
type Accepted = readonly JsonType[] | 'ignored';

export type ResponseRules = {
  /** As text only digits: `"418"`. */
  readonly statusCode: readonly JsonType[];
  readonly statusDescription: Accepted;
  readonly headers: Accepted;
  readonly multiValueHeaders: Accepted;
  /** One value of `headers`, or one entry of a list in `multiValueHeaders`. A `null` header is left out. */
  readonly headerValue: readonly JsonType[];
  readonly cookies: Accepted;
  /** Arrays and objects are sent as JSON where they are accepted. */
  readonly body: readonly JsonType[];
  readonly isBase64Encoded: readonly JsonType[];
};

const UNSET = ['absent', 'null'] as const;
const SCALARS = ['string', 'number', 'boolean'] as const;
const ANY = [...UNSET, ...SCALARS, 'array', 'object'] as const;
/** API Gateway and function URLs convert text and numbers. */
const LENIENT = {
  statusCode: ['number', 'string'],
  statusDescription: 'ignored',
  headerValue: [...SCALARS, 'null'],
  isBase64Encoded: ANY,
} as const;

export const RESPONSE_RULES = {
  'function-url': {
    ...LENIENT,
    headers: [...UNSET, 'object'],
    multiValueHeaders: 'ignored',
    cookies: [...UNSET, 'array'],
    body: ANY,
  },
  'http-api-2.0': {
    ...LENIENT,
    headers: [...UNSET, 'object'],
    multiValueHeaders: 'ignored',
    cookies: [...UNSET, 'array'],
    body: [...UNSET, 'string'],
  },
  'http-api-1.0': {
    ...LENIENT,
    headers: [...UNSET, 'object'],
    multiValueHeaders: [...UNSET, 'object'],
    cookies: 'ignored',
    body: [...UNSET, 'string'],
  },
  'rest-api': {
    ...LENIENT,
    headers: [...UNSET, 'object'],
    multiValueHeaders: [...UNSET, 'object'],
    cookies: 'ignored',
    body: [...UNSET, ...SCALARS],
  },
  'load-balancer': {
    statusCode: ['number'],
    statusDescription: ['absent', 'string'],
    headers: ['absent', 'object'],
    multiValueHeaders: ['absent', 'object'],
    headerValue: ['string'],
    cookies: 'ignored',
    body: ['absent', 'string'],
    isBase64Encoded: ['absent', 'boolean'],
  },
} as const satisfies Record<ResponseKind, ResponseRules>;

/** The JSON type of a parsed value. */
export function jsonTypeOf(value: unknown): JsonType {
  if (value === undefined) return 'absent';
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'array';
  return typeof value as JsonType;
}
