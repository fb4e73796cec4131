/**
 * The section Rules: assertions about parameters.
 * https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/rules-section-structure.html
 */
import { TemplateError, type TemplateProblem, throwProblems } from './template-error.ts';
import { isObject, type Json, type JsonObject, member, onlyKey, type Path } from './tree.ts';

/** Values of parameters and pseudo parameters. */
export type RuleValues = ReadonlyMap<string, Json>;

/** Types of the parameters, for Fn::RefAll. */
type Rules = { readonly values: RuleValues; readonly parameters: JsonObject };

/** @throws TemplateError with each assertion that does not hold */
export function checkRules(section: JsonObject, values: RuleValues, parameters: JsonObject): void {
  const rules = { values, parameters };
  const problems: TemplateProblem[] = [];
  for (const [name, rule] of Object.entries(section)) {
    const path = ['Rules', name];
    const condition = member(rule, 'RuleCondition');
    if (condition !== undefined && !isTrue(condition, rules, [...path, 'RuleCondition'])) continue;
    const assertions = member(rule, 'Assertions');
    if (!Array.isArray(assertions)) {
      throw new TemplateError({ message: `Template format error: Rule ${name} must have Assertions.`, path });
    }
    for (const [index, assertion] of assertions.entries()) {
      const at = [...path, 'Assertions', index, 'Assert'];
      if (isTrue(member(assertion, 'Assert') ?? null, rules, at)) continue;
      const description = member(assertion, 'AssertDescription');
      problems.push({
        message: typeof description === 'string' ? description : `Rule ${name}: assertion ${index + 1} does not hold.`,
        path: at,
      });
    }
  }
  throwProblems(problems);
}

function isTrue(node: Json, rules: Rules, path: Path): boolean {
  const name = onlyKey(node);
  const argument = isObject(node) && name !== undefined ? node[name] : undefined;
  const inner = [...path, name ?? ''];
  const items = Array.isArray(argument) ? argument : undefined;
  const each = (list: Json[]) => list.map((item, index) => isTrue(item, rules, [...inner, index]));
  const sets = () => [0, 1].map((at) => new Set(listOf(items?.[at] ?? null, rules, [...inner, at])));
  if (items && items.length > 0) {
    switch (name) {
      case 'Fn::And':
        return each(items).every(Boolean);
      case 'Fn::Or':
        return each(items).some(Boolean);
      case 'Fn::Not':
        return !isTrue(items[0] ?? null, rules, [...inner, 0]);
      case 'Fn::Equals':
        return textOf(items[0], rules, [...inner, 0]) === textOf(items[1], rules, [...inner, 1]);
      case 'Fn::Contains': {
        const list = listOf(items[0] ?? null, rules, [...inner, 0]);
        return list.includes(textOf(items[1], rules, [...inner, 1]));
      }
      case 'Fn::EachMemberEquals': {
        const expected = textOf(items[1], rules, [...inner, 1]);
        return listOf(items[0] ?? null, rules, [...inner, 0]).every((item) => item === expected);
      }
      case 'Fn::EachMemberIn': {
        const [members, allowed] = sets();
        return [...(members ?? [])].every((item) => allowed?.has(item));
      }
    }
  }
  throw new TemplateError({
    message: `Template error: Rules cannot use ${name ?? 'this value'} as a condition.`,
    path,
    suggestion: 'Use Fn::And, Fn::Or, Fn::Not, Fn::Equals, Fn::Contains, Fn::EachMemberEquals or Fn::EachMemberIn.',
  });
}

function listOf(node: Json, rules: Rules, path: Path): string[] {
  if (Array.isArray(node)) return node.flatMap((item, index) => listOf(item, rules, [...path, index]));
  if (onlyKey(node) === 'Fn::RefAll') {
    const type = String(member(node, 'Fn::RefAll'));
    const names = Object.entries(rules.parameters).filter(([, each]) => member(each, 'Type') === type);
    return names.flatMap(([name]) => flat(rules.values.get(name)));
  }
  return flat(valueOfNode(node, rules, path));
}

function textOf(node: Json | undefined, rules: Rules, path: Path): string {
  const value = valueOfNode(node ?? null, rules, path);
  return flat(value).join(',');
}

function valueOfNode(node: Json, rules: Rules, path: Path): Json {
  if (node === null || typeof node !== 'object') return node;
  const name = onlyKey(node);
  if (name === 'Ref') {
    const target = member(node, 'Ref');
    const value = rules.values.get(String(target));
    if (value !== undefined) return value;
  }
  throw new TemplateError({
    message: `Template error: Rules may only refer to parameters; ${name ?? 'a value'} is not supported here.`,
    path,
    suggestion: 'Use Ref with the name of a parameter, or a literal value.',
  });
}

function flat(value: Json | undefined): string[] {
  if (value === undefined || value === null) return [];
  return Array.isArray(value) ? value.flatMap(flat) : [String(value)];
}
