/**
 * A processed template as a stack uses it: which resources it has, in which order they can be made, and their properties
 * and outputs once the resources that they refer to exist. `process-template.ts` applies transforms before, and
 * `check-template.ts` checks the sections.
 *
 * Everything that CloudFormation refuses before it makes a stack is found when the template is evaluated: unresolved
 * references, circles, and functions that fail whatever the resources are.
 */
import { createConditions } from './conditions.ts';
import { unresolvedDependencies } from './function-errors.ts';
import { pseudoParameters, type StackFacts } from './pseudo-parameters.ts';
import { circlesOf, type Reference, referencesOf } from './references.ts';
import { NO_VALUE, type Resolved, resolve, type Scope, UNKNOWN } from './resolve.ts';
import { checkRules } from './rules.ts';
import { nearest } from './suggest.ts';
import { gather, TemplateError, type TemplateProblem } from './template-error.ts';
import { MAX_PROBLEMS, MAX_SUGGESTIONS } from './template-limits.ts';
import { isObject, type Json, type JsonObject, member, object, type Path, section } from './tree.ts';

export type EvaluationOptions = {
  readonly stack: StackFacts;
  /** Values by name, as `resolveParameters` returns them in `value`. */
  readonly parameters: ReadonlyMap<string, Json>;
  /** The value of another stack's export; undefined if there is none. */
  readonly exportedValue: (name: string) => string | undefined;
  /** Whether the template listed the transform AWS::LanguageExtensions. */
  readonly hasExtensions?: boolean;
};

/** What is known of the resources. An undefined value is one of a resource that does not exist yet. */
export type KnownResources = {
  ref(logicalId: string): Json | undefined;
  attribute(logicalId: string, name: string): Json | undefined;
};

export type TemplateResource = {
  readonly logicalId: string;
  readonly type: string;
  /** Logical ids from DependsOn and references, without resources that a condition leaves out. */
  readonly dependsOn: readonly string[];
  /** References of the properties, with their paths from the template's root. */
  readonly references: readonly Reference[];
  /** `Delete`, `Retain`, `RetainExceptOnCreate` or `Snapshot`, as given. */
  readonly deletionPolicy?: string;
  readonly updateReplacePolicy?: string;
  readonly metadata?: Json;
  readonly creationPolicy?: Json;
  readonly updatePolicy?: Json;
};

export type TemplateOutput = {
  readonly key: string;
  readonly value: Json;
  readonly description?: string;
  readonly exportName?: string;
};

export type EvaluatedTemplate = {
  /** The resources whose condition is true, in the order of the template. */
  readonly resources: ReadonlyMap<string, TemplateResource>;
  readonly conditions: ReadonlyMap<string, boolean>;
  /** Values that are not known yet are the text `UNKNOWN`. @throws TemplateError */
  properties(logicalId: string, known: KnownResources): JsonObject;
  /** The outputs whose condition is true. @throws TemplateError */
  outputs(known: KnownResources): readonly TemplateOutput[];
  /** Names of the exports that properties and outputs import; those that need a resource's value are left out. */
  readonly imports: readonly string[];
};

const NOTHING_KNOWN: KnownResources = { ref: () => undefined, attribute: () => undefined };

/** @throws TemplateError with all problems */
export function evaluateTemplate(body: JsonObject, options: EvaluationOptions): EvaluatedTemplate {
  const values = new Map([...pseudoParameters(options.stack), ...options.parameters]);
  const conditionScope = { values, mappings: section(body, 'Mappings'), hasExtensions: options.hasExtensions === true };
  const condition = createConditions(section(body, 'Conditions'), conditionScope);
  const problems: TemplateProblem[] = [];
  const conditions = new Map<string, boolean>();
  for (const name of Object.keys(section(body, 'Conditions'))) {
    const value = gather(problems, () => condition(name, ['Conditions', name]));
    if (value !== undefined) conditions.set(name, value);
  }
  gather(problems, () => checkRules(section(body, 'Rules'), values, section(body, 'Parameters')));
  const included = includedMembers(body, condition, problems);
  if (problems.length > 0) throw TemplateError.of(problems[0]?.message ?? '', problems);

  const imports = new Set<string>();
  const scopeFor = (known: KnownResources, exportedValue: Scope['exportedValue']): Scope => ({
    ...conditionScope,
    condition,
    hasResource: (logicalId) => included.resources.has(logicalId),
    ref: known.ref,
    attribute: known.attribute,
    exportedValue,
  });
  const trial = scopeFor(NOTHING_KNOWN, (name) => {
    imports.add(name);
    return UNKNOWN;
  });
  const resources = readResources(included, body, trial, condition);
  tryAll(included, trial);
  checkCircles(resources);
  return {
    resources,
    conditions,
    properties: (logicalId, known) => {
      const resource = included.resources.get(logicalId);
      const path = ['Resources', logicalId, 'Properties'];
      const resolved = resolve(
        member(resource, 'Properties') ?? object(),
        scopeFor(known, options.exportedValue),
        path,
      );
      return resolved !== NO_VALUE && isObject(resolved) ? resolved : object();
    },
    outputs: (known) => readOutputs(included.outputs, scopeFor(known, options.exportedValue)),
    imports: [...imports],
  };
}

type Included = {
  readonly resources: ReadonlyMap<string, JsonObject>;
  readonly outputs: ReadonlyMap<string, JsonObject>;
};

/** Members of Resources and Outputs whose condition is true. */
function includedMembers(body: JsonObject, condition: Scope['condition'], problems: TemplateProblem[]): Included {
  const members = (name: string) => {
    const found = new Map<string, JsonObject>();
    for (const [key, value] of Object.entries(section(body, name))) {
      if (!isObject(value)) continue;
      const own = member(value, 'Condition');
      const path = [name, key, 'Condition'];
      const isIncluded = typeof own !== 'string' || gather(problems, () => condition(own, path)) !== false;
      if (isIncluded) found.set(key, value);
    }
    return found;
  };
  return { resources: members('Resources'), outputs: members('Outputs') };
}

function readResources(
  { resources, outputs }: Included,
  body: JsonObject,
  scope: Scope,
  choose: Scope['condition'],
): Map<string, TemplateResource> {
  const problems: TemplateProblem[] = [];
  const read = new Map<string, TemplateResource>();
  const names = [...Object.keys(section(body, 'Resources')), ...scope.values.keys()];
  const check = (references: readonly Reference[]) => {
    for (const reference of references) {
      const isKnown =
        resources.has(reference.name) || (reference.attribute === undefined && isValue(reference.name, scope));
      if (!isKnown && problems.length < MAX_PROBLEMS) {
        problems.push(unresolved(reference, problems.length < MAX_SUGGESTIONS ? names : []));
      }
    }
  };
  for (const [logicalId, resource] of resources) {
    const path = ['Resources', logicalId];
    const references = referencesOf(member(resource, 'Properties') ?? null, [...path, 'Properties'], choose);
    check(references);
    const explicit = explicitDependencies(resource, path);
    const isDeclared = (name: string) => Object.hasOwn(section(body, 'Resources'), name);
    check(explicit.filter(({ name }) => !isDeclared(name)));
    const all = [...explicit, ...references].map(({ name }) => name);
    const dependsOn = [...new Set(all)].filter((name) => resources.has(name));
    read.set(logicalId, resourceOf(logicalId, resource, dependsOn, references, scope));
  }
  for (const [key, output] of outputs) {
    check(referencesOf(member(output, 'Value') ?? null, ['Outputs', key, 'Value'], choose));
    check(referencesOf(member(output, 'Export') ?? null, ['Outputs', key, 'Export'], choose));
  }
  if (problems.length > 0) throw TemplateError.of(combined(problems), problems);
  return read;
}

function isValue(name: string, scope: Scope): boolean {
  return name === 'AWS::NoValue' || scope.values.has(name);
}

function explicitDependencies(resource: JsonObject, path: Path): Reference[] {
  const value = member(resource, 'DependsOn');
  const names = Array.isArray(value) ? value : value === undefined ? [] : [value];
  return names.flatMap((name, index) =>
    typeof name === 'string'
      ? [{ name, by: 'Ref' as const, path: [...path, 'DependsOn', ...(Array.isArray(value) ? [index] : [])] }]
      : [],
  );
}

function unresolved(reference: Reference, names: readonly string[]): TemplateProblem & { readonly name?: string } {
  const { name, attribute, by, path } = reference;
  const near = nearest(name, names);
  const suggestion = near === undefined ? {} : { suggestion: `Did you mean ${near}?` };
  if (by === 'Fn::GetAtt') {
    return {
      message: `Template error: instance of Fn::GetAtt references undefined resource ${name}`,
      path,
      ...suggestion,
    };
  }
  if (by === 'Fn::Sub' && attribute !== undefined) {
    const message = `Template error: instance of Fn::Sub references invalid resource attribute ${name}.${attribute}`;
    return { message, path, ...suggestion };
  }
  const block = path[0] === 'Outputs' ? 'Outputs' : 'Resources';
  return { message: unresolvedDependencies([name], block), path, name, ...suggestion };
}

/** CloudFormation names all unresolved dependencies of a block in one message. */
function combined(problems: readonly (TemplateProblem & { readonly name?: string })[]): string {
  const first = problems.find(({ name }) => name !== undefined) ?? problems[0];
  const block = first?.path?.[0] === 'Outputs' ? 'Outputs' : 'Resources';
  const names = problems.flatMap(({ name, path }) =>
    name !== undefined && (path?.[0] === 'Outputs') === (block === 'Outputs') ? [name] : [],
  );
  return names.length === 0 ? (first?.message ?? '') : unresolvedDependencies([...new Set(names)], block);
}

function resourceOf(
  logicalId: string,
  resource: JsonObject,
  dependsOn: readonly string[],
  references: readonly Reference[],
  scope: Scope,
): TemplateResource {
  const policy = (key: string) => {
    const given = member(resource, key);
    const value = given === undefined ? NO_VALUE : resolve(given, scope, ['Resources', logicalId, key]);
    return typeof value === 'string' ? value : undefined;
  };
  const [deletionPolicy, updateReplacePolicy] = [policy('DeletionPolicy'), policy('UpdateReplacePolicy')];
  const attributes = { metadata: 'Metadata', creationPolicy: 'CreationPolicy', updatePolicy: 'UpdatePolicy' } as const;
  const values = Object.entries(attributes).flatMap(([name, key]) => {
    const value = member(resource, key);
    const resolved: Resolved =
      value === undefined ? NO_VALUE : resolveLeniently(value, scope, ['Resources', logicalId, key]);
    return resolved === NO_VALUE ? [] : [[name, resolved] as const];
  });
  return {
    logicalId,
    type: String(member(resource, 'Type')),
    dependsOn,
    references,
    ...(deletionPolicy !== undefined && { deletionPolicy }),
    ...(updateReplacePolicy !== undefined && { updateReplacePolicy }),
    ...Object.fromEntries(values),
  };
}

/** Metadata may hold anything; functions in it are resolved where they can be. */
function resolveLeniently(value: Json, scope: Scope, path: Path): Resolved {
  try {
    return resolve(value, scope, path);
  } catch (error) {
    if (error instanceof TemplateError) return value;
    throw error;
  }
}

/** Resolves everything without resources, for the errors that do not depend on them. */
function tryAll({ resources, outputs }: Included, scope: Scope): void {
  const problems: TemplateProblem[] = [];
  for (const [logicalId, resource] of resources) {
    const properties = member(resource, 'Properties');
    if (!isObject(properties)) continue;
    for (const [name, value] of Object.entries(properties)) {
      gather(problems, () => resolve(value, scope, ['Resources', logicalId, 'Properties', name]));
    }
  }
  for (const [key, output] of outputs) gather(problems, () => readOutputs(new Map([[key, output]]), scope));
  if (problems.length > 0) throw TemplateError.of(problems[0]?.message ?? '', problems);
}

function readOutputs(outputs: ReadonlyMap<string, JsonObject>, scope: Scope): TemplateOutput[] {
  return [...outputs].flatMap(([key, output]) => {
    const at = (name: string) => ['Outputs', key, name];
    const value = resolve(member(output, 'Value') ?? null, scope, at('Value'));
    if (value === NO_VALUE) return [];
    const name = member(member(output, 'Export'), 'Name');
    const exportName = name === undefined ? undefined : resolve(name, scope, [...at('Export'), 'Name']);
    const description = member(output, 'Description');
    return [
      {
        key,
        value: typeof value === 'number' || typeof value === 'boolean' ? String(value) : value,
        ...(typeof description === 'string' && { description }),
        ...(typeof exportName === 'string' && { exportName }),
      },
    ];
  });
}

function checkCircles(resources: ReadonlyMap<string, TemplateResource>): void {
  const circles = circlesOf(new Map([...resources].map(([logicalId, { dependsOn }]) => [logicalId, dependsOn])));
  const problems = circles.map((names) => ({
    message: `Circular dependency between resources: [${names.join(', ')}]`,
    path: ['Resources', names[0] ?? ''],
    suggestion: 'Refer to one of them by a name that you choose, or move the reference into a resource of its own.',
  }));
  if (problems.length > 0) throw TemplateError.of(problems[0]?.message ?? '', problems);
}
