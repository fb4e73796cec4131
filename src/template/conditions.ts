/** The section Conditions: each condition's value, from parameters, mappings and other conditions. */
import { FUNCTION_ERRORS, type FunctionName } from './function-errors.ts';
import { NO_VALUE, type Resolved, resolve, type Scope } from './resolve.ts';
import { TemplateError } from './template-error.ts';
import { MAX_CONDITION_CHAIN } from './template-limits.ts';
import { isObject, type Json, type JsonObject, onlyKey, type Path } from './tree.ts';

/** What conditions may refer to: no resources. */
export type ConditionScope = Pick<Scope, 'values' | 'mappings' | 'hasExtensions'>;

export type Conditions = (name: string, path: Path) => boolean;

/**
 * A function that returns a condition's value. Each condition is evaluated once, when it is first asked for.
 *
 * @throws TemplateError for an unknown name, a circle, or a function that cannot be evaluated
 */
export function createConditions(section: JsonObject, scope: ConditionScope): Conditions {
  const values = new Map<string, boolean | TemplateError>();
  const inProgress = new Set<string>();
  const condition: Conditions = (name, path) => {
    const known = values.get(name);
    if (known instanceof TemplateError) throw known;
    if (known !== undefined) return known;
    if (!Object.hasOwn(section, name)) throw unresolved(name, path);
    if (inProgress.has(name))
      throw circle(
        Object.keys(section).filter((each) => inProgress.has(each)),
        path,
      );
    if (inProgress.size >= MAX_CONDITION_CHAIN) throw tooDeep(path);
    inProgress.add(name);
    try {
      const value = evaluate(section[name] ?? null, ['Conditions', name]);
      values.set(name, value);
      return value;
    } catch (error) {
      if (error instanceof TemplateError) values.set(name, error);
      throw error;
    } finally {
      inProgress.delete(name);
    }
  };
  const evaluate = (node: Json, path: Path): boolean => evaluateBoolean(node, path, { condition, scope });
  return condition;
}

function unresolved(name: string, path: Path): TemplateError {
  const where = path.includes('Fn::If') ? 'Fn::If' : `the ${path[0]} block of the template`;
  const prefix = path.includes('Fn::If') ? 'Template error: unresolved' : 'Template format error: Unresolved';
  return new TemplateError({ message: `${prefix} condition dependency ${name} in ${where}`, path });
}

function tooDeep(path: Path): TemplateError {
  const message = `Template error: More than ${MAX_CONDITION_CHAIN} conditions refer to each other in a chain`;
  return new TemplateError({ message, path });
}

function circle(names: readonly string[], path: Path): TemplateError {
  return new TemplateError({
    message: `Template error: Circular dependency between conditions: [${names.join(', ')}]`,
    path,
  });
}

type Evaluation = { readonly condition: Conditions; readonly scope: ConditionScope };

function evaluateBoolean(node: Json, path: Path, evaluation: Evaluation): boolean {
  const name = onlyKey(node) as FunctionName | undefined;
  if (!isObject(node) || name === undefined) throw notBoolean(path);
  const argument = node[name];
  const inner = [...path, name];
  const list = (least: number, most: number): Json[] => {
    if (Array.isArray(argument) && argument.length >= least && argument.length <= most) return argument;
    throw new TemplateError({ message: FUNCTION_ERRORS[name], path: inner });
  };
  const each = (items: Json[]) => items.map((item, index) => evaluateBoolean(item, [...inner, index], evaluation));
  switch (name) {
    case 'Condition':
      if (typeof argument !== 'string') throw new TemplateError({ message: FUNCTION_ERRORS.Condition, path: inner });
      return evaluation.condition(argument, inner);
    case 'Fn::And':
      return each(list(2, 10)).every(Boolean);
    case 'Fn::Or':
      return each(list(2, 10)).some(Boolean);
    case 'Fn::Not':
      return !each(list(1, 1))[0];
    case 'Fn::Equals': {
      const [left, right] = list(2, 2).map((item, index) => comparable(item, [...inner, index], evaluation));
      return left === right;
    }
    default:
      throw notBoolean(path);
  }
}

function notBoolean(path: Path): TemplateError {
  return new TemplateError({
    message: `Template format error: Every Conditions member must be a condition function.`,
    path,
    suggestion: 'Use Fn::Equals, Fn::And, Fn::Or, Fn::Not or Condition.',
  });
}

/** Values are compared as text: the number 1 equals "1". */
function comparable(node: Json, path: Path, evaluation: Evaluation): string {
  const value: Resolved = resolve(node, withoutResources(evaluation), path);
  if (value === NO_VALUE || value === null) return '';
  if (typeof value !== 'object') return String(value);
  if (Array.isArray(value)) return JSON.stringify(value);
  throw new TemplateError({ message: FUNCTION_ERRORS['Fn::Equals'], path });
}

function withoutResources({ condition, scope }: Evaluation): Scope {
  const nothing = () => undefined;
  return { ...scope, condition, hasResource: () => false, ref: nothing, attribute: nothing, exportedValue: nothing };
}
