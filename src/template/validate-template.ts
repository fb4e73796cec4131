/**
 * All problems of a template that can be found without a stack: sections and functions, the SAM transform, references,
 * circles. Parameters without a value are unknown, exports are taken to exist, and files of this machine to be uploaded.
 */
import { renderStackArn } from '../protocol/arn.ts';
import type { Scope } from '../protocol/names.ts';
import { type CheckOptions, findProblems, isCustom } from './check-template.ts';
import { evaluateTemplate } from './evaluate.ts';
import type { FetchSnippet } from './include.ts';
import { withSampleArtifacts } from './local-artifacts.ts';
import { defaultOf } from './parameters.ts';
import { type ProcessedTemplate, processTemplate } from './process-template.ts';
import type { StackFacts } from './pseudo-parameters.ts';
import type { ReadTemplate } from './read-template.ts';
import { referencesOf } from './references.ts';
import { UNKNOWN } from './resolve.ts';
import { nearest } from './suggest.ts';
import { gather, TemplateError, type TemplateProblem } from './template-error.ts';
import { MAX_PROBLEMS } from './template-limits.ts';
import { isObject, type Json, type JsonObject, member, object, objectOf, section } from './tree.ts';

export type ValidationOptions = CheckOptions & {
  readonly region: string;
  /** Values of parameters by name. Those that the template does not declare are a problem. */
  readonly parameters: ReadonlyMap<string, string>;
  /** The text of a file that AWS::Include names; undefined if it cannot be read here. */
  readonly readSnippet?: FetchSnippet;
};

/** The account and id that pseudo parameters have; a template must not depend on them. */
const SAMPLE_ACCOUNT = '123456789012';
const SAMPLE_UUID = '00000000-0000-0000-0000-000000000000';
const SAMPLE_NAME = 'validated-stack';

/** The problems and warnings in the order of their places. Each message and place stands once. */
export async function validateTemplate(
  { body, places, warnings }: ReadTemplate,
  options: ValidationOptions,
): Promise<TemplateProblem[]> {
  const problems = findProblems(body, options);
  const isReadable =
    isObject(body.Resources) &&
    problems.every(({ message }) => !/must be an object|greater than maximum/.test(message));
  if (isReadable && problems.length < MAX_PROBLEMS) {
    for (const problem of await problemsOfEvaluation(body, options)) problems.push(problem);
  }
  const located = problems.map((problem) =>
    problem.path && !problem.place ? { ...problem, place: places.near(problem.path) } : problem,
  );
  const distinct = new Map([...located, ...warnings].map((problem) => [keyOf(problem), problem]));
  return [...distinct.values()].sort((a, b) => order(a) - order(b));
}

function keyOf({ message, place }: TemplateProblem): string {
  return `${place?.line}:${place?.column}:${message}`;
}

function order({ place }: TemplateProblem): number {
  return place ? place.line * 10_000 + place.column : 0;
}

async function problemsOfEvaluation(body: JsonObject, options: ValidationOptions): Promise<readonly TemplateProblem[]> {
  const scope = { region: options.region, account: SAMPLE_ACCOUNT } as Scope;
  const stack: StackFacts = {
    region: options.region,
    accountId: SAMPLE_ACCOUNT,
    stackName: SAMPLE_NAME,
    stackId: renderStackArn(scope, SAMPLE_NAME, SAMPLE_UUID),
  };
  const unset = Object.entries(section(body, 'Parameters')).filter(
    ([name, each]) => isObject(each) && defaultOf(each) === undefined && !options.parameters.has(name),
  );
  let processed: ProcessedTemplate;
  try {
    processed = await processTemplate(withSampleArtifacts(withoutConstraints(body, unset)), {
      stack,
      given: new Map([...unset.map(([name]) => [name, UNKNOWN] as const), ...options.parameters]),
      lookups: { ssm: (name) => name },
      fetchSnippet: options.readSnippet ?? (async () => undefined),
      serverlessApplication: (applicationId) => applicationId,
    });
  } catch (failure) {
    if (failure instanceof TemplateError) return failure.problems;
    throw failure;
  }
  const problems = unknownAttributes(processed.body, options);
  const parameters = new Map([...processed.parameters].map(([name, { value }]) => [name, value]));
  const { hasExtensions } = processed;
  gather(problems, () =>
    evaluateTemplate(processed.body, { stack, parameters, exportedValue: (name) => name, hasExtensions }),
  );
  return problems;
}

/** The template without what an unknown value might violate: types and constraints of these parameters, and rules. */
function withoutConstraints(body: JsonObject, unset: readonly (readonly [string, Json])[]): JsonObject {
  if (unset.length === 0) return body;
  const loosened = unset.map(([name]) => [name, objectOf({ Type: 'String' })] as const);
  const parameters = object([...Object.entries(section(body, 'Parameters')), ...loosened]);
  return object([...Object.entries(body).filter(([name]) => name !== 'Rules'), ['Parameters', parameters]]);
}

/** References to attributes that the type of the resource does not have. */
function unknownAttributes(body: JsonObject, { typeOf }: CheckOptions): TemplateProblem[] {
  const resources = section(body, 'Resources');
  const references = ['Resources', 'Outputs'].flatMap((name) => referencesOf(section(body, name), [name]));
  return references.flatMap(({ name, attribute, path }) => {
    const type = String(member(member(resources, name), 'Type'));
    const { attributes = [] } = isCustom(type) ? {} : (typeOf?.(type) ?? {});
    // Nested stacks have the attributes Outputs.NAME.
    const isNested = attribute?.startsWith('Outputs.');
    if (attribute === undefined || isNested || attributes.length === 0 || attributes.includes(attribute)) return [];
    const near = nearest(attribute, attributes);
    const message = `[Error] /${path.join('/')}: Resource type ${type} does not support attribute {${attribute}}.`;
    return [
      { message, path, suggestion: near === undefined ? `It has ${attributes.join(', ')}.` : `Did you mean ${near}?` },
    ];
  });
}
