/**
 * What CloudFormation does between reading a template and evaluating it: values of parameters, then transforms. The
 * result is what GetTemplate returns as `Processed`.
 */
import { createConditions } from './conditions.ts';
import { expandIncludes, type FetchSnippet, include } from './include.ts';
import { expandLoops } from './language-extensions.ts';
import { type ParameterLookups, type ParameterValue, resolveParameters } from './parameters.ts';
import { pseudoParameters, type StackFacts } from './pseudo-parameters.ts';
import { NO_VALUE, resolve, type Scope } from './resolve.ts';
import { InvalidDocument, InvalidResource } from './sam/errors.ts';
import { transformSam } from './sam/transform.ts';
import { TemplateError } from './template-error.ts';
import { copy, isObject, type Json, type JsonObject, member, object, type Path, section } from './tree.ts';

export const SAM_TRANSFORM = 'AWS::Serverless-2016-10-31';
export const EXTENSIONS_TRANSFORM = 'AWS::LanguageExtensions';

export type ProcessingOptions = {
  readonly stack: StackFacts;
  /** Values of parameters by name, as a request has them. */
  readonly given: ReadonlyMap<string, string>;
  readonly lookups: ParameterLookups;
  /** Without it AWS::Include is refused. */
  readonly fetchSnippet?: FetchSnippet;
  /** The URL of an application's template. Without it applications of the Serverless Application Repository are refused. */
  readonly serverlessApplication?: (applicationId: string, semanticVersion: string) => string;
};

export type ProcessedTemplate = {
  readonly body: JsonObject;
  readonly parameters: ReadonlyMap<string, ParameterValue>;
  /** Names of the transforms that the template lists or uses. */
  readonly transforms: readonly string[];
  readonly hasExtensions: boolean;
};

/** @throws TemplateError; its message begins with `Transform NAME failed with: ` if a transform failed */
export async function processTemplate(source: JsonObject, options: ProcessingOptions): Promise<ProcessedTemplate> {
  const listed = listedTransforms(source);
  const parameters = await resolveParameters(section(source, 'Parameters'), options.given, options.lookups);
  return { parameters, ...(await applyTransforms(source, listed, parameters, options)) };
}

/** The section Transform as a list. */
export function listedTransforms(body: JsonObject): Json[] {
  const value = member(body, 'Transform');
  return value === undefined ? [] : Array.isArray(value) ? value : [value];
}

/** The names of all transforms: listed, and `Fn::Transform` anywhere. CAPABILITY_AUTO_EXPAND is needed if there are any. */
export function transformNames(body: JsonObject): string[] {
  const names = listedTransforms(body).map(nameOf);
  const visit = (node: Json): void => {
    if (Array.isArray(node)) for (const item of node) visit(item);
    if (!isObject(node)) return;
    for (const [key, value] of Object.entries(node)) {
      if (key === 'Fn::Transform') names.push(...(Array.isArray(value) ? value : [value]).map(nameOf));
      visit(value);
    }
  };
  visit(body);
  return [...new Set(names.flatMap((name) => name ?? []))];
}

function nameOf(transform: Json): string | undefined {
  const name = typeof transform === 'string' ? transform : member(transform, 'Name');
  return typeof name === 'string' ? name : undefined;
}

async function applyTransforms(
  source: JsonObject,
  listed: readonly Json[],
  parameters: ReadonlyMap<string, ParameterValue>,
  options: ProcessingOptions,
): Promise<Omit<ProcessedTemplate, 'parameters'>> {
  const transforms = transformNames(source);
  const names = listed.map(nameOf);
  const hasExtensions = names.includes(EXTENSIONS_TRANSFORM);
  let body = copy(source);
  const value = (node: Json, path: Path) => resolveStatically(node, path, body, parameters, options);
  const fetchSnippet = options.fetchSnippet ?? refuseSnippets;
  if (transforms.some((name) => !names.includes(name))) body = await expandIncludes(body, value, fetchSnippet);
  for (const [index, transform] of listed.entries()) {
    const name = names[index];
    const path = ['Transform', index];
    if (name === SAM_TRANSFORM) body = applySam(body, parameters, options);
    else if (name === EXTENSIONS_TRANSFORM) body = expandLoops(body, value);
    else
      body = merged(
        body,
        await include(
          typeof transform === 'string' ? object([['Name', transform]]) : transform,
          path,
          value,
          fetchSnippet,
        ),
      );
  }
  delete body.Transform;
  return { body, transforms, hasExtensions };
}

async function refuseSnippets(location: string): Promise<string> {
  throw new Error(`${location} cannot be read here`);
}

function merged(body: JsonObject, snippet: JsonObject | undefined): JsonObject {
  for (const [key, value] of Object.entries(snippet ?? {})) {
    const own = body[key];
    if (own === undefined) body[key] = value;
    else if (isObject(own) && isObject(value)) body[key] = object([...Object.entries(value), ...Object.entries(own)]);
  }
  return body;
}

function applySam(
  body: JsonObject,
  parameters: ReadonlyMap<string, ParameterValue>,
  { stack, serverlessApplication }: ProcessingOptions,
): JsonObject {
  try {
    return transformSam(body, {
      region: stack.region,
      parameters: Object.fromEntries([...parameters].map(([name, { value }]) => [name, value])),
      ...(serverlessApplication && { serverlessApplication }),
    });
  } catch (error) {
    if (!(error instanceof InvalidDocument)) throw error;
    const problems = error.causes.map((cause) => ({
      message: cause.message,
      ...(cause instanceof InvalidResource && { path: ['Resources', cause.logicalId] }),
    }));
    throw TemplateError.of(`Transform ${SAM_TRANSFORM} failed with: ${error.message}`, problems);
  }
}

/** The value of a node that may refer to parameters, mappings and conditions, but not to resources. */
function resolveStatically(
  node: Json,
  path: Path,
  body: JsonObject,
  parameters: ReadonlyMap<string, ParameterValue>,
  { stack }: ProcessingOptions,
): Json {
  const values = new Map([
    ...pseudoParameters(stack),
    ...[...parameters].map(([name, { value }]) => [name, value] as const),
  ]);
  const known = { values, mappings: section(body, 'Mappings'), hasExtensions: true };
  const nothing = () => undefined;
  const scope: Scope = {
    ...known,
    condition: createConditions(section(body, 'Conditions'), known),
    hasResource: () => false,
    ref: nothing,
    attribute: nothing,
    exportedValue: nothing,
  };
  const value = resolve(node, scope, path);
  return value === NO_VALUE ? null : value;
}
