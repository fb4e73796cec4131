/**
 * Paths and methods in the body of an API: what `swagger.ts` (REST APIs) and `openapi.ts` (HTTP APIs) have in common. Paths, methods
 * and integrations may stand in an `Fn::If`; then each branch counts.
 */
import { InvalidDocument, InvalidTemplate } from '../errors.ts';
import {
  isPythonMap,
  isTrue,
  own,
  PythonMap,
  type PythonText,
  type PythonValue,
  plainMap,
  textOf,
} from './python27-values.ts';

export const INTEGRATION = 'x-amazon-apigateway-integration';
export const ANY_METHOD = 'x-amazon-apigateway-any-method';

/** A body with what is known of it. */
export interface ApiBody {
  readonly doc: PythonMap;
  /** Each path is a map, as editors of REST APIs require. */
  arePathsChecked: boolean;
}

export const apiBody = (doc: PythonMap): ApiBody => ({ doc, arePathsChecked: false });

/** An error in the body ends the transform: no other error of the template is reported with it. */
export function invalidBody(detail: string): InvalidDocument {
  return new InvalidDocument([new InvalidTemplate(detail)]);
}

/** The value, or what the branches of its `Fn::If` hold other than `AWS::NoValue`. */
export function contentsOf(item: PythonValue | undefined): PythonValue[] {
  const branches = isPythonMap(item) ? item.get('Fn::If') : undefined;
  if (branches === undefined) return [item ?? null];
  if (!Array.isArray(branches)) throw invalidBody('Value of Fn::If must be a list.');
  return branches.slice(1).filter((branch) => !isNoValue(branch));
}

function isNoValue(value: PythonValue): boolean {
  return isPythonMap(value) && value.size === 1 && textOf(value.get('Ref')) === 'AWS::NoValue';
}

/** A map with one member that is `Ref`, `Condition` or `Fn::...`. */
export function isIntrinsicValue(value: PythonValue | undefined): boolean {
  if (!isPythonMap(value) || value.size !== 1) return false;
  const [key = ''] = value.keys();
  return key === 'Ref' || key === 'Condition' || key.startsWith('Fn::');
}

export const refValue = (name: string): PythonMap => plainMap({ Ref: own(name) });

export function conditionalValue(condition: string | PythonText, value: PythonValue): PythonMap {
  return plainMap({ 'Fn::If': [condition, value, refValue('AWS::NoValue')] });
}

export function expectPythonMap(value: PythonValue | undefined, problem: string): PythonMap {
  if (!isPythonMap(value)) throw invalidBody(problem);
  return value;
}

export function expectPathItem(item: PythonValue | undefined, path: string): PythonMap {
  return expectPythonMap(item, `Value of '${path}' path must be a dictionary according to Swagger spec.`);
}

export function expectMethod(definition: PythonValue | undefined, path: string, method: string): PythonMap {
  return expectPythonMap(definition, `Definition of method '${method}' for path '${path}' should be a map.`);
}

/** In lower case; `any` is API Gateway's own method. */
export function normalMethod(method: string): string | PythonText {
  const lower = method.toLowerCase();
  return lower === 'any' ? own(ANY_METHOD) : lower;
}

export const nameOf = (key: string | PythonText): string => (typeof key === 'string' ? key : key.text);

export function hasIntegrationIn(definition: PythonMap): boolean {
  return isTrue(definition.get(INTEGRATION));
}

/** Whether each branch of the path has the method. */
function hasPath(paths: PythonMap, path: string, method: string): boolean {
  if (!paths.has(path)) return false;
  return contentsOf(paths.get(path)).every((item) => isPythonMap(item) && item.has(method));
}

/** Whether each branch of the path has the method with an integration. */
export function hasIntegration(paths: PythonMap, path: string, method: string): boolean {
  const name = nameOf(normalMethod(method));
  if (!hasPath(paths, path, name)) return false;
  return contentsOf(paths.get(path)).every((item) => {
    const definition = expectPathItem(item, path).get(name);
    return (
      isPythonMap(definition) && contentsOf(definition).some((each) => hasIntegrationIn(expectMethod(each, path, name)))
    );
  });
}

/** Adds the path and the method where they are not there yet. */
export function addPath(paths: PythonMap, path: string | PythonText, method: string | PythonText): void {
  const name = nameOf(path);
  const item = expectPathItem(paths.setDefault(path, new PythonMap()), name);
  const key = typeof method === 'string' ? normalMethod(method) : method;
  for (const branch of contentsOf(item)) expectPathItem(branch, name).setDefault(key, new PythonMap());
}

/** Forgets the integration of a method after an error, so that another event may have the method. */
export function dropIntegration(paths: PythonMap, path: string, method: string): void {
  for (const branch of contentsOf(paths.get(path))) {
    expectPathItem(branch, path).set(normalMethod(method), new PythonMap());
  }
}

/** Puts the whole path under a condition. */
export function makePathConditional(paths: PythonMap, path: string, condition: string | PythonText): void {
  paths.set(path, conditionalValue(condition, paths.get(path) as PythonValue));
}

/** The definitions of a method, without those that have no integration unless `all` is set. */
export function definitionsOf(paths: PythonMap, path: string, method: string, all = false): PythonMap[] {
  const name = nameOf(normalMethod(method));
  return contentsOf(paths.get(path)).flatMap((item) =>
    contentsOf(expectPathItem(item, path).get(name))
      .map((definition) => expectMethod(definition, path, method))
      .filter((definition) => all || hasIntegrationIn(definition)),
  );
}

/** What `x-amazon-apigateway-integration` of a method with an integration holds. */
export function integrationOf(definition: PythonMap): PythonMap {
  return expectPythonMap(
    definition.get(INTEGRATION),
    `Value of '${INTEGRATION}' must be a dictionary according to Swagger spec.`,
  );
}

export function addTimeout(paths: PythonMap, path: string, method: string, timeoutInMillis: PythonValue): void {
  for (const definition of definitionsOf(paths, path, method)) {
    integrationOf(definition).set(own('timeoutInMillis'), timeoutInMillis);
  }
}

/** The entries in a method's `security`, for editing. */
export function securityOf(definition: PythonMap, path: string, method: string): PythonValue[] {
  const security = definition.has('security') ? definition.get('security') : [];
  if (!Array.isArray(security)) {
    throw invalidBody(`Type of security for path ${path} method ${method} must be a list`);
  }
  return security;
}

/** Whether a version is one of OpenAPI 3. */
export function isOpenApi3(version: string): boolean {
  return /^3\.\d(\.\d)?\n?$/.test(version);
}
