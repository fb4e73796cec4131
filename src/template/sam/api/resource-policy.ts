/** `x-amazon-apigateway-policy`: who may call a REST API, by account, address, VPC or VPC endpoint. */
import type { Json, JsonObject } from '../../tree.ts';
import { isMap, member } from '../checks.ts';
import { isTruthy, pythonJson, pythonStr } from '../python.ts';
import { ANY_METHOD, contentsOf, expectPathItem, invalidBody } from './body-paths.ts';
import {
  fromTemplate,
  own,
  ownMap,
  type PythonMap,
  type PythonValue,
  plainMap,
  toTemplate,
} from './python27-values.ts';
import { type SwaggerEdit, writePolicy } from './swagger.ts';

/**
 * Adds the statements for one path. `stage` is the name of the stage, or what stands for it.
 *
 * @throws InvalidDocument
 */
export function addResourcePolicy(edit: SwaggerEdit, policy: JsonObject, path: string, stage: PythonValue): void {
  const resources = methodResources(edit, path, stage);
  const entry = (name: string): Json | undefined => member(policy, name) ?? undefined;
  addAccounts(edit, entry('AwsAccountWhitelist'), 'Allow', resources);
  addAccounts(edit, entry('AwsAccountBlacklist'), 'Deny', resources);
  addAddresses(edit, entry('IpRangeWhitelist'), 'NotIpAddress', resources);
  addAddresses(edit, entry('IpRangeBlacklist'), 'IpAddress', resources);
  for (const [list, operator] of [
    ['Blacklist', 'StringEquals'],
    ['Whitelist', 'StringNotEquals'],
  ] as const) {
    const sources = entry(`SourceVpc${list}`);
    if (sources !== undefined && !(Array.isArray(sources) && sources.every((source) => typeof source === 'string'))) {
      throw invalidBody(
        `SourceVpc${list} must be a list of strings. Use IntrinsicVpc${list} instead for values that use Intrinsic Functions`,
      );
    }
    const condition = ownMap();
    const add = (name: string, values: readonly Json[]) => {
      if (values.length === 0) return;
      const present = condition.get(name);
      const all = [...(Array.isArray(present) ? present : []), ...values.map((value) => fromTemplate(value))];
      condition.set(own(name), all);
    };
    add('aws:SourceVpc', startingWith(sources, 'vpc-'));
    add('aws:SourceVpce', startingWith(sources, 'vpce-'));
    add('aws:SourceVpc', listOf(entry(`IntrinsicVpc${list}`)));
    add('aws:SourceVpce', listOf(entry(`IntrinsicVpce${list}`)));
    if (condition.size > 0) addAllowAndDeny(edit, resources, plainMap({ [operator]: condition }));
  }
  writePolicy(edit);
}

const startingWith = (sources: Json | undefined, prefix: string): Json[] =>
  listOf(sources).filter((source) => typeof source === 'string' && source.startsWith(prefix));

/** The items of a list. AWS's translator iterates over whatever the template has. */
function listOf(value: Json | undefined): Json[] {
  if (Array.isArray(value)) return value;
  if (isMap(value)) return Object.keys(value);
  return typeof value === 'string' ? [...value] : [];
}

/** Statements of the template. */
export function addCustomStatements(edit: SwaggerEdit, custom: Json): void {
  const policy = edit.resourcePolicy;
  policy.set(own('Version'), own('2012-10-17'));
  const statements = statementsOf(edit);
  if (statements === undefined) {
    policy.set(own('Statement'), fromTemplate(custom));
  } else {
    const list = Array.isArray(custom) ? custom : [custom];
    for (const statement of list) addUnlessPresent(edit, statements, fromTemplate(statement));
    policy.set(own('Statement'), statements);
  }
  edit.statements = undefined;
  writePolicy(edit);
}

function addAccounts(edit: SwaggerEdit, accounts: Json | undefined, effect: string, resources: PythonValue): void {
  if (accounts === undefined || !isTruthy(accounts)) return;
  if (!isMap(accounts) && !Array.isArray(accounts)) {
    throw invalidBody(`Type of '${pythonStr(accounts)}' must be a list or dictionary`);
  }
  const statement = ownMap({
    Effect: own(effect),
    Action: own('execute-api:Invoke'),
    Resource: resources,
    Principal: ownMap({ AWS: fromTemplate(Array.isArray(accounts) ? accounts : [accounts]) }),
  });
  const policy = edit.resourcePolicy;
  policy.set(own('Version'), own('2012-10-17'));
  const statements = statementsOf(edit);
  if (statements === undefined) {
    policy.set(own('Statement'), statement);
  } else {
    statements.push(statement);
    policy.set(own('Statement'), statements);
  }
  edit.statements?.add(textKey(statement));
}

function addAddresses(edit: SwaggerEdit, ranges: Json | undefined, operator: string, resources: PythonValue): void {
  if (ranges === undefined || !isTruthy(ranges)) return;
  const list = fromTemplate(Array.isArray(ranges) ? ranges : [ranges]);
  addAllowAndDeny(edit, resources, plainMap({ [operator]: plainMap({ 'aws:SourceIp': list }) }));
}

/** Allows everybody, then denies those that the condition finds. */
function addAllowAndDeny(edit: SwaggerEdit, resources: PythonValue, condition: PythonMap): void {
  const statement = (effect: string) =>
    ownMap({
      Effect: own(effect),
      Action: own('execute-api:Invoke'),
      Resource: resources,
      Principal: own('*'),
    });
  const deny = statement('Deny');
  deny.set(own('Condition'), condition);
  const policy = edit.resourcePolicy;
  policy.set(own('Version'), own('2012-10-17'));
  const statements = statementsOf(edit) ?? [];
  addUnlessPresent(edit, statements, statement('Allow'));
  addUnlessPresent(edit, statements, deny);
  policy.set(own('Statement'), statements);
}

/** The statements as a list; undefined if there are none. */
function statementsOf(edit: SwaggerEdit): PythonValue[] | undefined {
  const statement = edit.resourcePolicy.get('Statement') ?? null;
  if (statement === null) return undefined;
  return Array.isArray(statement) ? statement : [statement];
}

function addUnlessPresent(edit: SwaggerEdit, statements: PythonValue[], statement: PythonValue): void {
  edit.statements ??= new Set(statements.map(textKey));
  const key = textKey(statement);
  if (edit.statements.has(key)) return;
  edit.statements.add(key);
  statements.push(statement);
}

const textKey = (statement: PythonValue): string => pythonJson(toTemplate(statement));

/** The resources that stand for the methods of a path. */
function methodResources(edit: SwaggerEdit, path: string, stage: PythonValue): PythonValue[] {
  const name = withoutParameters(path);
  return contentsOf(edit.paths.get(path)).flatMap((branch) =>
    expectPathItem(branch, path)
      .keys()
      .map((key) => {
        const isAny = key.toLowerCase() === ANY_METHOD || key.toLowerCase() === 'any';
        const resource = `execute-api:/\${__Stage__}/${isAny ? '*' : key.toUpperCase()}${name}`;
        return plainMap({ 'Fn::Sub': [resource, plainMap({ __Stage__: stage })] });
      }),
  );
}

/** `/users/{id}` and `/files/{path+}` as a pattern for resources: `/users/*`, `/files/*`. */
export function withoutParameters(path: string): string {
  return path.replace(/\{[a-zA-Z0-9._-]+\+?\}/g, '*');
}

/** A policy that is not a map. @throws InvalidDocument */
export function expectPolicy(policy: Json | undefined): JsonObject {
  if (!isMap(policy)) throw invalidBody('ResourcePolicy must be a map (ResourcePolicyStatement).');
  return policy;
}
