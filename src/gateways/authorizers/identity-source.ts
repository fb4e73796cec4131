/**
 * Identity sources: which parts of a request identify the caller to an authorizer. REST APIs and HTTP APIs write them
 * differently. Pure.
 * https://docs.aws.amazon.com/apigateway/latest/developerguide/configure-api-gateway-lambda-authorization.html
 * https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-lambda-authorizer.html
 */
import { parseQuery, type RequestHead, valuesOf } from '../exchange/gateway-request.ts';

export type IdentitySource = {
  readonly from: 'header' | 'querystring' | 'stageVariables' | 'context';
  /** Names of headers are in lower case. Names of context variables have dots: `identity.sourceIp`. */
  readonly name: string;
  /** As the user wrote it. */
  readonly text: string;
};

export type ApiKind = 'rest-api' | 'http-api';

const FORMS: Readonly<Record<ApiKind, RegExp>> = {
  'rest-api': /^(?:method\.request\.(header|querystring)|(stageVariables|context))\.(\S+)$/,
  'http-api': /^\$(?:request\.(header|querystring)|(stageVariables|context))\.(\S+)$/,
};

const EXAMPLES: Readonly<Record<ApiKind, string>> = {
  'rest-api': 'method.request.header.NAME, method.request.querystring.NAME, stageVariables.NAME or context.NAME',
  'http-api': '$request.header.NAME, $request.querystring.NAME, $stageVariables.NAME or $context.NAME',
};

/** Parses one identity source. Returns the reason for an invalid one. */
export function parseIdentitySource(text: string, kind: ApiKind): IdentitySource | string {
  const [, ofRequest, ofApi, name] = FORMS[kind].exec(text) ?? [];
  const from = (ofRequest ?? ofApi) as IdentitySource['from'] | undefined;
  if (from === undefined || name === undefined) return `must be ${EXAMPLES[kind]}, not ${JSON.stringify(text)}`;
  return { from, name: from === 'header' ? name.toLowerCase() : name, text };
}

export type IdentityContext = {
  readonly kind: ApiKind;
  readonly request: RequestHead;
  readonly stageVariables: Readonly<Record<string, string>> | undefined;
  /** The variables below `$context`. Called only for a source that names one. */
  readonly contextVariables: () => object;
};

/** The value of each source; undefined if one of them is missing or empty. */
export function readIdentity(
  sources: readonly IdentitySource[],
  context: IdentityContext,
): readonly string[] | undefined {
  const values: string[] = [];
  for (const source of sources) {
    const value = readSource(source, context);
    if (value === undefined || value === '') return undefined;
    values.push(value);
  }
  return values;
}

function readSource(
  { from, name }: IdentitySource,
  { kind, request, stageVariables, contextVariables }: IdentityContext,
): string | undefined {
  switch (from) {
    case 'header':
      return merge(valuesOf(request.headers, name), kind);
    case 'querystring': {
      const values = parseQuery(request.query).flatMap(([other, value]) => (other === name ? [value] : []));
      return merge(values, kind);
    }
    case 'stageVariables':
      return stageVariables?.[name];
    case 'context':
      return readVariable(contextVariables(), name.split('.'));
  }
}

/** As in their events: the last value in a REST API, all values in an HTTP API. */
function merge(values: readonly string[], kind: ApiKind): string | undefined {
  return kind === 'rest-api' || values.length < 2 ? values.at(-1) : values.join(',');
}

function readVariable(variables: unknown, path: readonly string[]): string | undefined {
  let value = variables;
  for (const step of path) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, step)) return undefined;
    value = (value as Readonly<Record<string, unknown>>)[step];
  }
  return typeof value === 'string' || typeof value === 'number' ? String(value) : undefined;
}
