/**
 * Reads an OpenAPI document, JSON or YAML, as clients pass it to ImportRestApi and ImportApi. What both versions of API
 * Gateway have in common is here; `rest/` and `http/` turn it into their resources.
 * https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-swagger-extensions.html
 */
import { badRequest } from './publish.ts';

export type Json = null | boolean | number | string | readonly Json[] | JsonObject;
export type JsonObject = { readonly [name: string]: Json };

export type OpenApi = {
  readonly document: JsonObject;
  readonly title: string;
  /** In the order of the document. */
  readonly operations: readonly OpenApiOperation[];
  /** Security schemes by name, in either version of OpenAPI. */
  readonly schemes: Readonly<Record<string, JsonObject>>;
};

export type OpenApiOperation = {
  readonly path: string;
  /** In upper case; `ANY` for `x-amazon-apigateway-any-method`. */
  readonly method: string;
  readonly operation: JsonObject;
  /** The first security requirement: the name of its scheme, and its scopes. Undefined for none. */
  readonly security: readonly { readonly scheme: string; readonly scopes: readonly string[] }[];
};

const METHODS = ['get', 'put', 'post', 'delete', 'options', 'head', 'patch', 'x-amazon-apigateway-any-method'];

/** @throws RestJsonError BadRequestException */
export async function readOpenApi(text: string): Promise<OpenApi> {
  const { readInTurns } = await import('../../template/read-in-turns.ts');
  let document: JsonObject;
  try {
    document = (await readInTurns(text)).body as JsonObject;
  } catch (failure) {
    throw badRequest(`Invalid OpenAPI input: ${(failure as Error).message}`);
  }
  if (!isObject(document) || (document.swagger === undefined && document.openapi === undefined)) {
    throw badRequest('Invalid OpenAPI input: the document has neither `swagger` nor `openapi`.');
  }
  const fallback = document.security;
  const operations = entriesOf(document.paths).flatMap(([path, item]) =>
    METHODS.flatMap((method): OpenApiOperation[] => {
      const operation = objectAt(item, method);
      if (operation === undefined) return [];
      const name = method.startsWith('x-') ? 'ANY' : method.toUpperCase();
      return [{ path, method: name, operation, security: securityOf(operation.security ?? fallback) }];
    }),
  );
  const schemes = {
    ...recordOf(document.securityDefinitions),
    ...recordOf(objectAt(document.components, 'securitySchemes')),
  };
  return { document, title: textAt(document.info, 'title') ?? '', operations, schemes };
}

function securityOf(security: Json | undefined): OpenApiOperation['security'] {
  if (!Array.isArray(security)) return [];
  return (security as readonly Json[]).flatMap((requirement) =>
    entriesOf(requirement).map(([scheme, scopes]) => ({ scheme, scopes: textsOf(scopes) })),
  );
}

export function isObject(value: Json | undefined): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

export function objectAt(value: Json | undefined, name: string): JsonObject | undefined {
  const found = isObject(value) && Object.hasOwn(value, name) ? value[name] : undefined;
  return isObject(found) ? found : undefined;
}

/** A text, or a number or boolean as a text. */
export function textAt(value: Json | undefined, name: string): string | undefined {
  const found = isObject(value) && Object.hasOwn(value, name) ? value[name] : undefined;
  return typeof found === 'string' || typeof found === 'number' || typeof found === 'boolean'
    ? String(found)
    : undefined;
}

export function numberAt(value: Json | undefined, name: string): number | undefined {
  const text = textAt(value, name);
  const number = text === undefined || text.trim() === '' ? Number.NaN : Number(text);
  return Number.isFinite(number) ? number : undefined;
}

export function flagAt(value: Json | undefined, name: string): boolean | undefined {
  const text = textAt(value, name);
  return text === undefined ? undefined : text === 'true';
}

export function textsOf(value: Json | undefined): readonly string[] {
  return Array.isArray(value) ? (value as readonly Json[]).filter((item) => typeof item === 'string') : [];
}

export function entriesOf(value: Json | undefined): readonly (readonly [string, Json])[] {
  return isObject(value) ? Object.entries(value) : [];
}

/** The members that are objects. */
export function recordOf(value: Json | undefined): Readonly<Record<string, JsonObject>> {
  return Object.fromEntries(
    entriesOf(value).filter((entry): entry is readonly [string, JsonObject] => isObject(entry[1])),
  );
}

/** The members that are texts, or can be. */
export function textsByName(value: Json | undefined): Record<string, string> {
  return Object.fromEntries(
    entriesOf(value).flatMap(([name]) => {
      const text = textAt(value, name);
      return text === undefined ? [] : [[name, text]];
    }),
  );
}
