/**
 * Counts how many golden files of AWS's SAM translator our transform reproduces: `node scripts/run.mjs sam-golden DIRECTORY`
 * with a checkout of https://github.com/aws/serverless-application-model, which is not part of this repository. A template
 * counts if its output is the same in the three regions that the translator's own test uses, or if its error message is.
 *
 * Options: `--only TEXT` for the files whose name has the text, `--exact` to compare the order of lists too (the
 * translator's test does not), `--failures` for the names and first difference of all files that differ, `--show` for every
 * difference of each, `--core` to leave out the kinds that Lamella makes later (GraphQLApi, WebSocketApi, CapacityProvider,
 * the Serverless Application Repository).
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { readTemplate } from '../src/template/read-template.ts';
import { transformSam } from '../src/template/sam/transform.ts';
import { fromParsed, isObject, type Json, type JsonObject, member, section } from '../src/template/tree.ts';

const { values: flags, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    only: { type: 'string' },
    exact: { type: 'boolean' },
    failures: { type: 'boolean' },
    show: { type: 'boolean' },
    core: { type: 'boolean' },
  },
});

type Target = { readonly partition: string; readonly region: string };
/** Where they differ, and a short name of the kind of difference. */
type Difference = { readonly kind: string; readonly at: string };
type Result = {
  readonly name: string;
  readonly groups: readonly string[];
  readonly differences: readonly Difference[];
};

const TARGETS: readonly [Target, Target, Target] = [
  { partition: 'aws', region: 'ap-southeast-1' },
  { partition: 'aws-cn', region: 'cn-north-1' },
  { partition: 'aws-us-gov', region: 'us-gov-west-1' },
];
const PARAMETERS = { param1: 'value1', param2: 'value2' };
const LATER = ['GraphQLApi', 'WebSocketApi', 'CapacityProvider', 'Application'];

/** The managed policies that the translator's test pretends to have loaded. */
function managedPolicies(partition: string): Map<string, string> {
  const arn = (name: string) => `arn:${partition}:iam::aws:policy/${name}`;
  const tracing = partition === 'aws' ? 'AWSXrayWriteOnlyAccess' : 'AWSXRayDaemonWriteAccess';
  return new Map([
    ['AWSLambdaBasicExecutionRole', arn('service-role/AWSLambdaBasicExecutionRole')],
    ['AmazonDynamoDBFullAccess', arn('AmazonDynamoDBFullAccess')],
    ['AmazonDynamoDBReadOnlyAccess', arn('AmazonDynamoDBReadOnlyAccess')],
    ['AWSLambdaRole', arn('service-role/AWSLambdaRole')],
    [tracing, arn(tracing)],
  ]);
}

/** What the translator's test pretends that the Serverless Application Repository returns. */
function serverlessApplication(applicationId: string): string {
  if (['no-access', 'non-existent', 'invalid-semver'].includes(applicationId)) {
    throw new Error(`Cannot access application: ${applicationId}.`);
  }
  return 'https://awsserverlessrepo-changesets-xxx.s3.amazonaws.com/signed-url';
}

function main(): number {
  const [checkout] = positionals;
  if (!checkout) {
    console.error(
      'usage: node scripts/run.mjs sam-golden DIRECTORY [--only TEXT] [--exact] [--failures] [--show] [--core]',
    );
    return 2;
  }
  const folder = join(checkout, 'tests', 'translator');
  const names = readdirSync(join(folder, 'input'))
    .filter((file) => file.endsWith('.yaml') && !/^(translate|feature_toggle)_/.test(file))
    .map((file) => file.slice(0, -'.yaml'.length))
    .filter((name) => name.includes(flags.only ?? ''))
    .sort();
  const results = { outputs: [] as Result[], errors: [] as Result[] };
  for (const name of names) {
    const text = readFileSync(join(folder, 'input', `${name}.yaml`), 'utf8');
    const isError = name.startsWith('error_');
    const groups = groupsOf(text);
    if (flags.core && groups.some((group) => LATER.includes(group))) continue;
    const differences = isError
      ? compareError(text, join(folder, 'output', `${name}.json`))
      : TARGETS.flatMap((target) => compareOutput(text, target, join(folder, 'output'), name));
    results[isError ? 'errors' : 'outputs'].push({ name, groups, differences });
  }
  report('the same output', results.outputs);
  report('the same message', results.errors);
  return [...results.outputs, ...results.errors].every(({ differences }) => differences.length === 0) ? 0 : 1;
}

function groupsOf(text: string): string[] {
  const types = [...text.matchAll(/AWS::Serverless::(\w+)/g)].map((match) => match[1] ?? '');
  return [...new Set(types.length > 0 ? types : ['(none)'])];
}

function compareOutput(text: string, target: Target, folder: string, name: string): Difference[] {
  const path = join(folder, target.partition === 'aws' ? '' : target.partition, `${name}.json`);
  const expected = fromParsed(JSON.parse(readFileSync(path, 'utf8')));
  try {
    return differencesOf(sorted(expected), sorted(transform(text, target)), []);
  } catch (error) {
    return [{ kind: `fails: ${generalized(messageOf(error))}`, at: messageOf(error) }];
  }
}

function compareError(text: string, path: string): Difference[] {
  const expected = String(JSON.parse(readFileSync(path, 'utf8')).errorMessage);
  let message: string;
  try {
    transform(text, TARGETS[0]);
    return [{ kind: 'no error', at: `expected ${expected}` }];
  } catch (error) {
    message = messageOf(error);
  }
  if (message === expected) return [];
  const parts = (whole: string) => whole.split(/(?= Resource with id )/);
  const [missing, extra] = [minus(parts(expected), parts(message)), minus(parts(message), parts(expected))];
  const kind = missing[1] ?? missing[0] ?? extra[1] ?? extra[0] ?? 'order of the messages';
  return [{ kind: `message: ${generalized(kind.trim())}`, at: `\n  expected ${expected}\n  received ${message}` }];
}

function minus(from: readonly string[], parts: readonly string[]): string[] {
  return from.filter((part) => !parts.includes(part));
}

function transform(text: string, { partition, region }: Target): Json {
  const { body } = readTemplate(text);
  return transformSam(body, {
    region,
    partition,
    parameters: PARAMETERS,
    managedPolicies: managedPolicies(partition),
    serverlessApplication,
  });
}

function messageOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const isBug = error instanceof TypeError || error instanceof RangeError || error instanceof ReferenceError;
  return isBug ? (error.stack ?? error.message).split('\n').slice(0, 3).join(' ') : error.message;
}

/** The message without what is particular to the template. */
function generalized(message: string): string {
  return message
    .replace(/Number of errors found: \d+/, 'Number of errors found: N')
    .replace(/\[[^\]]*\]/g, '[..]')
    .slice(0, 160);
}

/** The tree with sorted lists, as the translator's test compares it. Layers keep their order. */
function sorted(value: Json): Json {
  if (flags.exact) return value;
  if (Array.isArray(value)) return value.map(sorted).sort((a, b) => compare(textOf(a), textOf(b)));
  if (!isObject(value)) return value;
  const made: JsonObject = Object.create(null);
  for (const [key, item] of Object.entries(value)) made[key] = sorted(item);
  return made;
}

function textOf(value: Json): string {
  if (Array.isArray(value)) return `[${value.map(textOf).join()}]`;
  if (!isObject(value)) return JSON.stringify(value);
  const members = Object.entries(value).map(([key, item]) => `${JSON.stringify(key)}:${textOf(item)}`);
  return `{${members.sort(compare).join()}}`;
}

function compare(a: string, b: string): number {
  return a < b ? -1 : Number(a > b);
}

function differencesOf(
  expected: Json | undefined,
  received: Json | undefined,
  path: readonly string[],
  root = expected,
): Difference[] {
  if (Array.isArray(expected) && Array.isArray(received)) {
    const length = Math.max(expected.length, received.length);
    return Array.from({ length }, (_, at) =>
      differencesOf(expected[at], received[at], [...path, String(at)], root),
    ).flat();
  }
  if (isObject(expected) && isObject(received)) {
    const keys = [...new Set([...Object.keys(expected), ...Object.keys(received)])];
    return keys.flatMap((key) => differencesOf(member(expected, key), member(received, key), [...path, key], root));
  }
  if (expected === received) return [];
  return [
    {
      kind: kindOf(expected, received, path, root),
      at: `/${path.join('/')}: expected ${brief(expected)}, received ${brief(received)}`,
    },
  ];
}

function kindOf(
  expected: Json | undefined,
  received: Json | undefined,
  path: readonly string[],
  root: Json | undefined,
): string {
  const [where, id = '', ...rest] = path;
  if (where !== 'Resources') return `${where} differ`;
  const type = String(member(section(root, 'Resources')[id], 'Type') ?? member(received, 'Type') ?? '?');
  if (rest.length === 0)
    return `${expected === undefined ? 'superfluous' : received === undefined ? 'missing' : 'wrong'} ${type}`;
  const place = rest
    .map((step) => (/^\d+$/.test(step) ? '*' : step))
    .slice(0, 4)
    .join('.');
  return `${type} ${place}`;
}

function brief(value: Json | undefined): string {
  return value === undefined ? 'nothing' : textOf(value).slice(0, 300);
}

function report(what: string, results: readonly Result[]): void {
  if (results.length === 0) return;
  const failed = results.filter(({ differences }) => differences.length > 0);
  console.log(`${results.length - failed.length} of ${results.length} templates have ${what}`);
  table(
    'by resource type',
    counted(results.flatMap(({ groups }) => groups)),
    counted(failed.flatMap(({ groups }) => groups)),
  );
  const kinds = counted(failed.flatMap(({ differences }) => [...new Set(differences.map(({ kind }) => kind))]));
  for (const [kind, count] of [...kinds].sort((a, b) => b[1] - a[1]).slice(0, flags.failures ? kinds.size : 25)) {
    console.log(`  ${String(count).padStart(4)}  ${kind}`);
  }
  if (!flags.failures && !flags.show) return;
  for (const { name, differences } of failed) {
    console.log(`\n${name} (${differences.length})`);
    for (const { at } of flags.show ? differences : differences.slice(0, 1)) console.log(`  ${at}`);
  }
}

function table(title: string, all: ReadonlyMap<string, number>, failed: ReadonlyMap<string, number>): void {
  const cells = [...all].map(([name, count]) => `${name} ${count - (failed.get(name) ?? 0)}/${count}`);
  console.log(`  ${title}: ${cells.join(', ')}`);
}

function counted(names: readonly string[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const name of names) counts.set(name, (counts.get(name) ?? 0) + 1);
  return counts;
}

process.exitCode = main();
