/** Names and forms of the functions in a template, whatever their values are. */
import {
  BOOLEAN_FUNCTIONS,
  EXTENSION_FUNCTIONS,
  FUNCTION_ERRORS,
  type FunctionName,
  SUB_NAME_ERROR,
  unsupportedFunction,
} from './function-errors.ts';
import { isSubName, parseSub } from './sub-text.ts';
import { nearest } from './suggest.ts';
import { isObject, type Json, type JsonObject, onlyKey, type Path, section } from './tree.ts';

type Report = (message: string, path: Path, suggestion?: string) => void;
type Checks = { readonly report: Report; readonly hasExtensions: boolean };

/** Functions of Rules, which `rules.ts` evaluates. */
const RULE_FUNCTIONS = [
  'Fn::Contains',
  'Fn::EachMemberEquals',
  'Fn::EachMemberIn',
  'Fn::RefAll',
  'Fn::ValueOf',
  'Fn::ValueOfAll',
];
export const SUPPORTED_FUNCTIONS: readonly string[] = [
  ...Object.keys(FUNCTION_ERRORS).filter((name) => name !== 'Condition'),
  ...RULE_FUNCTIONS,
];

/** Reports what is wrong in Conditions, Resources, Outputs and Rules. Metadata may hold anything. */
export function checkFunctions(body: JsonObject, hasExtensions: boolean, report: Report): void {
  const checks = { report, hasExtensions };
  for (const name of ['Rules', 'Conditions']) visit(section(body, name), [name], checks);
  for (const [logicalId, resource] of Object.entries(section(body, 'Resources'))) {
    if (!isObject(resource)) continue;
    for (const [key, value] of Object.entries(resource)) {
      if (key !== 'Metadata' && key !== 'Condition') visit(value, ['Resources', logicalId, key], checks);
    }
  }
  for (const [key, output] of Object.entries(section(body, 'Outputs'))) {
    if (!isObject(output)) continue;
    for (const name of ['Value', 'Export']) {
      if (Object.hasOwn(output, name)) visit(output[name] ?? null, ['Outputs', key, name], checks);
    }
  }
}

function visit(node: Json, path: Path, checks: Checks): void {
  if (Array.isArray(node)) {
    for (const [index, item] of node.entries()) visit(item, [...path, index], checks);
    return;
  }
  if (!isObject(node)) return;
  const only = onlyKey(node);
  for (const [key, argument] of Object.entries(node)) {
    const at = [...path, key];
    if (key.startsWith('Fn::')) checkFunction(key, argument, at, checks);
    else if (key === only && key === 'Ref' && typeof argument !== 'string') checks.report(FUNCTION_ERRORS.Ref, at);
    visit(argument, at, checks);
  }
}

function checkFunction(name: string, argument: Json, path: Path, { report, hasExtensions }: Checks): void {
  const isLoop = name.startsWith('Fn::ForEach::');
  if (!hasExtensions && (isLoop || EXTENSION_FUNCTIONS.has(name))) {
    const known = SUPPORTED_FUNCTIONS.filter((each) => !EXTENSION_FUNCTIONS.has(each));
    report(unsupportedFunction(name, known), path, 'Add AWS::LanguageExtensions to the section Transform.');
    return;
  }
  if (isLoop) return;
  if (!SUPPORTED_FUNCTIONS.includes(name)) {
    const near = nearest(name, SUPPORTED_FUNCTIONS);
    report(
      unsupportedFunction(name, SUPPORTED_FUNCTIONS),
      path,
      near === undefined ? undefined : `Did you mean ${near}?`,
    );
    return;
  }
  const isRight = FORMS[name]?.(argument) ?? true;
  if (!isRight) report(FUNCTION_ERRORS[name as FunctionName], path);
  if (name === 'Fn::Sub') checkSubNames(Array.isArray(argument) ? argument[0] : argument, path, report);
  const isCondition = path[0] === 'Conditions' || path[0] === 'Rules';
  if (BOOLEAN_FUNCTIONS.has(name) && !isCondition) {
    report(
      `Template error: ${name} cannot be used in the ${path[0]} block`,
      path,
      'Define a condition, and use Fn::If.',
    );
  }
}

function checkSubNames(text: Json | undefined, path: Path, report: Report): void {
  if (typeof text !== 'string') return;
  const wrong = parseSub(text).find((part) => 'name' in part && !isSubName(part.name));
  if (wrong && 'name' in wrong) {
    report(SUB_NAME_ERROR, path, `Write $\{!${wrong.name}} for the literal text $\{${wrong.name}}.`);
  }
}

const isText = (node: Json | undefined) => typeof node === 'string';
const isScalarOrFunction = (node: Json | undefined) => node !== null && node !== undefined && !Array.isArray(node);
const isListOrFunction = (node: Json | undefined) => Array.isArray(node) || isObject(node);
const listOf =
  (least: number, most = least) =>
  (node: Json): node is Json[] =>
    Array.isArray(node) && node.length >= least && node.length <= most;

/** Whether the argument of a function can be right. */
const FORMS: Readonly<Record<string, (argument: Json) => boolean>> = {
  'Fn::Base64': isScalarOrFunction,
  'Fn::Cidr': listOf(2, 3),
  'Fn::Equals': listOf(2),
  'Fn::And': listOf(2, 10),
  'Fn::Or': listOf(2, 10),
  'Fn::Not': listOf(1),
  'Fn::FindInMap': listOf(3, 4),
  'Fn::GetAZs': isScalarOrFunction,
  'Fn::GetAtt': (node) =>
    typeof node === 'string'
      ? /^[^.]+\.[^.]/.test(node)
      : listOf(2, 20)(node) && isText(node[0]) && node[0] !== '' && node[1] !== '',
  'Fn::If': (node) => listOf(3)(node) && isText(node[0]),
  'Fn::ImportValue': isScalarOrFunction,
  'Fn::Join': (node) => listOf(2)(node) && isText(node[0]) && isListOrFunction(node[1]),
  'Fn::Length': isListOrFunction,
  'Fn::Select': (node) => listOf(2)(node) && isScalarOrFunction(node[0]) && isListOrFunction(node[1]),
  'Fn::Split': (node) => listOf(2)(node) && isText(node[0]) && isScalarOrFunction(node[1]),
  'Fn::Sub': (node) => isText(node) || (listOf(2)(node) && isText(node[0]) && isObject(node[1])),
  'Fn::ToJsonString': isListOrFunction,
};
