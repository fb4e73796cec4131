/** Policy templates: `{SQSPollerPolicy: {QueueName: q}}` in Policies becomes a policy document. */
import { renderArn } from '../../protocol/arn.ts';
import { copy, type Json, type JsonObject } from '../tree.ts';
import { isMap, member } from './checks.ts';
import { InvalidResource } from './errors.ts';
import { ref } from './intrinsics.ts';
import { POLICY_TEMPLATES } from './policy-template-table.ts';
import { pythonRepr } from './python.ts';

interface PolicyTemplate {
  readonly parameters: readonly string[];
  readonly statements: readonly string[];
}

let parsed: ReadonlyMap<string, PolicyTemplate> | undefined;

export function isPolicyTemplate(name: string): boolean {
  return templates().has(name);
}

/**
 * @param values the parameters of the template
 * @throws InvalidResource if a parameter has no value
 */
export function policyOfTemplate(logicalId: string, name: string, values: Json | undefined): JsonObject {
  const { parameters, statements } = templates().get(name) as PolicyTemplate;
  if (!isMap(values)) {
    throw new InvalidResource(logicalId, `Must specify valid parameter values for policy template '${name}'`);
  }
  const missing = parameters.filter((parameter) => !Object.hasOwn(values, parameter));
  if (missing.length > 0) {
    const problem = `Following required parameters of template '${name}' don't have values`;
    throw new InvalidResource(logicalId, `${problem}: ${pythonRepr(missing)}`);
  }
  return { Statement: statements.map((statement) => renderStatement(statement, parameters, values)) };
}

function templates(): ReadonlyMap<string, PolicyTemplate> {
  parsed ??= parseTable(POLICY_TEMPLATES);
  return parsed;
}

function parseTable(table: string): ReadonlyMap<string, PolicyTemplate> {
  const found = new Map<string, { parameters: string[]; statements: string[] }>();
  let statements: string[] = [];
  for (const line of table
    .trim()
    .replace(/\n {6}/g, ' ')
    .split('\n')) {
    if (line.startsWith(' ')) {
      statements.push(line.trim());
    } else {
      const [name = '', ...parameters] = line.split(' ');
      statements = [];
      found.set(name, { parameters, statements });
    }
  }
  return found;
}

const STATEMENT = /^([^ :=]+)([:=]) (.*?) @ (\[?)([^\]?]*?)\]?(?: \? (\S+) (\S+) (\S+))?$/;

function renderStatement(statement: string, parameters: readonly string[], values: JsonObject): JsonObject {
  const parts = STATEMENT.exec(statement);
  if (parts === null) throw new Error(`Policy template statement "${statement}" does not follow the notation`);
  const [, service, kind, actions = '', list, resources = '', operator, key, operand] = parts;
  const named = actions.split(' ').map((action) => `${service}:${action}`);
  const rendered = resources.split(' ').map((resource) => renderResource(resource, parameters, values));
  const condition =
    operator === undefined || key === undefined || operand === undefined
      ? {}
      : { Condition: { [operator]: { [key]: renderResource(operand, parameters, values) } } };
  return {
    Action: kind === '=' ? (named[0] as string) : named,
    ...condition,
    Effect: 'Allow',
    Resource: list === '[' ? rendered : (rendered[0] as Json),
  };
}

function renderResource(notation: string, parameters: readonly string[], values: JsonObject): Json {
  if (notation === '*') return notation;
  const variables: JsonObject = {};
  const text = notation.replace(/\{(\w+)\}/g, (_, variable: string) => {
    const parameter = parameters.find((each) => each.toLowerCase() === variable.toLowerCase()) as string;
    variables[variable] = resolved(member(values, parameter) ?? null, parameter);
    return `\${${variable}}`;
  });
  return { 'Fn::Sub': Object.keys(variables).length === 0 ? expanded(text) : [expanded(text), variables] };
}

/** A value that is CloudFormation's placeholder is not known yet. */
function resolved(value: Json, parameter: string): Json {
  const isPlaceholder = typeof value === 'string' && value.startsWith('{{IntrinsicFunction:');
  return isPlaceholder ? ref(`___SAM_POLICY_PARAMETER_${parameter}`) : copy(value);
}

function expanded(text: string): string {
  const [, service, local, resource] = /^([a-z0-9-]+):(:|::)(?!:)(.*)$/.exec(text) ?? [];
  if (service === undefined || resource === undefined) return text;
  const isLocal = local === ':';
  return renderArn({
    partition: '${AWS::Partition}',
    service,
    region: isLocal ? '${AWS::Region}' : '',
    account: isLocal ? '${AWS::AccountId}' : '',
    resource,
  });
}
