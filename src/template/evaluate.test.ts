// biome-ignore-all lint/suspicious/noTemplateCurlyInString: Fn::Sub's syntax
import { describe, expect, it } from 'vitest';
import { evaluateTemplate, type KnownResources } from './evaluate.ts';
import { resolveParameters } from './parameters.ts';
import { readTemplate } from './read-template.ts';
import { TemplateError } from './template-error.ts';
import { type Json, section } from './tree.ts';

const STACK = {
  region: 'eu-west-1',
  accountId: '123456789012',
  stackName: 'shop',
  stackId: 'id-of-shop',
  notificationArns: ['topic'],
};

type Options = { given?: Record<string, string>; exports?: Record<string, string>; hasExtensions?: boolean };

async function evaluated(text: string, { given = {}, exports = {}, hasExtensions = false }: Options = {}) {
  const { body } = readTemplate(text);
  const ssm = (name: string) => ({ '/ami': 'ami-1', '/names': 'a, b' })[name];
  const parameters = await resolveParameters(section(body, 'Parameters'), new Map(Object.entries(given)), { ssm });
  return evaluateTemplate(body, {
    stack: STACK,
    parameters: new Map([...parameters].map(([name, { value }]) => [name, value])),
    exportedValue: (name) => exports[name],
    hasExtensions,
  });
}

/** Resources A and B exist, with attributes of every name. */
const EXISTING: KnownResources = {
  ref: (logicalId) => `${logicalId}-1`,
  attribute: (logicalId, name) => `${logicalId}.${name}`,
};
const NOTHING: KnownResources = { ref: () => undefined, attribute: () => undefined };

/** A text that each level repeats ten times. */
function multiplied(levels: number): string {
  const inner = levels === 0 ? '"1234567890"' : multiplied(levels - 1);
  return `{"Fn::Sub": ["${'${v}'.repeat(10)}", {"v": ${inner}}]}`;
}

const HEAD = `
Parameters:
  Text: {Type: String, Default: text}
  List: {Type: CommaDelimitedList, Default: 'a, b ,c'}
  Count: {Type: Number, Default: 2}
Mappings:
  Map: {eu-west-1: {Value: mapped, List: [x, y]}}
Conditions:
  IsTwo: !Equals [!Ref Count, 2]
  IsOther: !Not [!Condition IsTwo]
  Both: !And [!Condition IsTwo, !Or [!Condition IsOther, !Equals [!FindInMap [Map, !Ref AWS::Region, Value], mapped]]]
Resources:
  A: {Type: AWS::SNS::Topic}
`;

async function resolved(
  node: string,
  { known = EXISTING, ...options }: Options & { known?: KnownResources } = {},
): Promise<Json | undefined> {
  const template = await evaluated(
    `${HEAD}  B:\n    Type: AWS::SNS::Topic\n    Properties:\n      V: ${node}`,
    options,
  );
  return JSON.parse(JSON.stringify(template.properties('B', known))).V;
}

async function errorOf(work: Promise<unknown>): Promise<TemplateError> {
  const error = await work.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (error instanceof TemplateError) return error;
  throw error ?? new Error('there was no error');
}

describe('functions', () => {
  it.each<[string, Json | undefined]>([
    ['!Ref Text', 'text'],
    ['!Ref List', ['a', 'b', 'c']],
    ['!Ref Count', '2'],
    ['!Ref A', 'A-1'],
    ['!Ref AWS::Region', 'eu-west-1'],
    ['!Ref AWS::AccountId', '123456789012'],
    ['!Ref AWS::Partition', 'aws'],
    ['!Ref AWS::URLSuffix', 'amazonaws.com'],
    ['!Ref AWS::StackName', 'shop'],
    ['!Ref AWS::StackId', 'id-of-shop'],
    ['!Ref AWS::NotificationARNs', ['topic']],
    ['!Ref AWS::NoValue', undefined],
    ['[1, !Ref AWS::NoValue, 2]', [1, 2]],
    ['!GetAtt A.Outputs.Url', 'A.Outputs.Url'],
    ['!GetAtt [A, !Ref Text]', 'A.text'],
    ['!Sub "${Text}-${A}-${A.Arn}-${!Literal}-${ AWS::Region }-${"', 'text-A-1-A.Arn-${Literal}-eu-west-1-${'],
    ['!Sub ["${Text}${Own}", {Text: mine, Own: !GetAtt A.Arn}]', 'mineA.Arn'],
    ['!Sub "${List} ${Count}"', 'a,b,c 2'],
    ['!Join ["-", [a, !Ref A, 1.0, true]]', 'a-A-1-1.0-true'],
    ['!Join ["", !Ref List]', 'abc'],
    ['!Select [1, !Ref List]', 'b'],
    ['!Select ["0", !Split [".", x.y]]', 'x'],
    ['!Split [",", !Sub "a,${Text}"]', ['a', 'text']],
    ['!FindInMap [Map, !Ref AWS::Region, Value]', 'mapped'],
    ['!FindInMap [Map, eu-west-1, List]', ['x', 'y']],
    ['!If [Both, {x: !Ref Text}, other]', { x: 'text' }],
    ['!If [IsOther, never, !Ref AWS::NoValue]', undefined],
    ['!Base64 {"Fn::Sub": "${Text}ü"}', Buffer.from('textü').toString('base64')],
    ['!GetAZs ""', ['eu-west-1a', 'eu-west-1b', 'eu-west-1c']],
    ['!GetAZs {Ref: AWS::Region}', ['eu-west-1a', 'eu-west-1b', 'eu-west-1c']],
    ['!Cidr [10.0.0.0/16, 3, 8]', ['10.0.0.0/24', '10.0.1.0/24', '10.0.2.0/24']],
    ['!Cidr ["2001:db8::/56", 2, 64]', ['2001:db8::/64', '2001:db8:0:1::/64']],
    ['!ImportValue {"Fn::Sub": "${Text}-export"}', 'imported'],
    ['{Condition: {StringEquals: {a: b}}}', { Condition: { StringEquals: { a: 'b' } } }],
  ])('%s', async (node, expected) => {
    expect(await resolved(node, { exports: { 'text-export': 'imported' } })).toEqual(expected);
  });

  it.each<[string, Json]>([
    ['!Length [1, 2, 3]', 3],
    ['!Length {Ref: List}', 3],
    ['!ToJsonString {a: !Ref Text, b: [1.0]}', '{"a":"text","b":[1.0]}'],
    ['!FindInMap [Map, nowhere, Value, {DefaultValue: !Ref Text}]', 'text'],
  ])('of the transform AWS::LanguageExtensions: %s', async (node, expected) => {
    expect(await resolved(node, { hasExtensions: true })).toEqual(expected);
  });

  // Recorded on AWS: the change sets of LocalStack's test_change_set_fn_join and test_change_set_fn_transform.
  it.each<[string, Json]>([
    ['!Ref A', '{{changeSet:KNOWN_AFTER_APPLY}}'],
    ['!Join ["-", [a, !GetAtt A.Arn]]', '{{changeSet:KNOWN_AFTER_APPLY}}'],
    ['!Sub "a/${A.Arn}/b"', 'a/{{changeSet:KNOWN_AFTER_APPLY}}/b'],
    ['!Select [1, !Split [":", !GetAtt A.Arn]]', '{{changeSet:KNOWN_AFTER_APPLY}}'],
    ['!Base64 {Ref: A}', '{{changeSet:KNOWN_AFTER_APPLY}}'],
  ])('on resources that do not exist yet are unknown: %s', async (node, expected) => {
    expect(await resolved(node, { known: NOTHING })).toEqual(expected);
  });

  it.each([
    ['!Select [5, [a]]', 'Template error: Fn::Select cannot select nonexistent value at index 5'],
    [
      '!Select [a, [a]]',
      'Template error: Fn::Select requires a list argument with two elements: an integer index and a list',
    ],
    [
      '!Join [a, b, c]',
      'Template error: every Fn::Join object requires two parameters, (1) a string delimiter and (2) a list of strings to be joined or a function that returns a list of strings (such as Fn::GetAZs) to be joined.',
    ],
    [
      '!Split [",", [a]]',
      'Template error: every Fn::Split object requires two parameters, (1) a string delimiter and (2) a string to be split or a function that returns a string to be split.',
    ],
    ['!FindInMap [Map, C, Value]', 'Template error: Unable to get mapping for Map::C::Value'],
    [
      '!FindInMap [Nope, C, Value]',
      "Template error: Mapping named 'Nope' is not present in the 'Mappings' section of template.",
    ],
    ['!If [Missing, 1, 2]', 'Template error: unresolved condition dependency Missing in Fn::If'],
    [
      '!Ref Missing',
      'Template format error: Unresolved resource dependencies [Missing] in the Resources block of the template',
    ],
    ['!GetAtt Missing.Arn', 'Template error: instance of Fn::GetAtt references undefined resource Missing'],
    ['!Sub "${Missing.Arn}"', 'Template error: instance of Fn::Sub references invalid resource attribute Missing.Arn'],
    [
      '!Sub [a, b, c]',
      "Template error: One or more Fn::Sub intrinsic functions don't specify expected arguments. Specify a string as first argument, and an optional second argument to specify a mapping of values to replace in the string",
    ],
  ])('that CloudFormation refuses before it makes anything: %s', async (node, message) => {
    const error = await errorOf(resolved(node));
    expect(error.message).toBe(message);
    expect(error.problems[0].path?.slice(0, 4)).toEqual(['Resources', 'B', 'Properties', 'V']);
  });

  it('that import an export which does not exist fail when the resource is made', async () => {
    expect((await errorOf(resolved('!ImportValue nothing'))).message).toBe('No export named nothing found.');
  });
});

describe('resources', () => {
  const text = `${HEAD}
  B: {Type: AWS::SNS::Topic, Condition: IsOther}
  C:
    Type: AWS::SNS::Topic
    DependsOn: [A, B]
    DeletionPolicy: Retain
    Metadata: {note: !Ref Text}
    Properties: {Name: !If [IsTwo, !Ref AWS::NoValue, !GetAtt B.Arn], Other: !Sub '\${D.Arn}'}
  D: {Type: AWS::SNS::Topic, Properties: {X: !GetAtt A.Arn}}
Outputs:
  Url: {Value: !GetAtt C.Url, Description: where, Export: {Name: !Sub '\${AWS::StackName}-url'}}
  Hidden: {Condition: IsOther, Value: !Ref B}
  Number: {Value: 12}
`;

  it('are those whose condition is true, with their dependencies and attributes', async () => {
    const { resources } = await evaluated(text);
    expect([...resources.keys()]).toEqual(['A', 'C', 'D']);
    expect(resources.get('C')).toMatchObject({
      dependsOn: ['A', 'D'],
      deletionPolicy: 'Retain',
      metadata: { note: 'text' },
    });
    expect(resources.get('D')?.dependsOn).toEqual(['A']);
  });

  it('have outputs with export names', async () => {
    expect((await evaluated(text)).outputs(EXISTING)).toEqual([
      { key: 'Url', value: 'C.Url', description: 'where', exportName: 'shop-url' },
      { key: 'Number', value: '12' },
    ]);
  });

  it('must not refer to one that a condition leaves out', async () => {
    const error = await errorOf(
      evaluated(`${HEAD}  B: {Type: T, Condition: IsOther}\n  C: {Type: T, Properties: {X: !Ref B}}`),
    );
    expect(error.message).toBe(
      'Template format error: Unresolved resource dependencies [B] in the Resources block of the template',
    );
  });

  it('may have policies that are functions', async () => {
    const { resources } = await evaluated(`${HEAD}  B: {Type: T, DeletionPolicy: !If [IsTwo, Retain, Delete]}`);
    expect(resources.get('B')?.deletionPolicy).toBe('Retain');
  });

  it('that depend on each other in a circle are all named', async () => {
    const circle = `Resources:
  A: {Type: T, Properties: {X: !Ref B}}
  B: {Type: T, Properties: {X: !Sub '\${C.Arn}'}}
  C: {Type: T, DependsOn: A}
  D: {Type: T, Properties: {X: !Ref D}}
  E: {Type: T, DependsOn: A}`;
    const { message, problems } = await errorOf(evaluated(circle));
    expect(message).toBe('Circular dependency between resources: [A, B, C]');
    expect(problems.map((problem) => problem.message)).toEqual([message, 'Circular dependency between resources: [D]']);
  });

  it('that refer to unknown names are all reported, with near names', async () => {
    const error = await errorOf(
      evaluated('Resources:\n  Queue: {Type: T, DependsOn: Topc}\n  Topic: {Type: T, Properties: {X: !Ref Queu}}'),
    );
    expect(error.message).toBe(
      'Template format error: Unresolved resource dependencies [Topc, Queu] in the Resources block of the template',
    );
    expect(error.problems.map(({ suggestion }) => suggestion)).toEqual(['Did you mean Topic?', 'Did you mean Queue?']);
  });

  it('in a chain of 5,000 are ordered in linear time', async () => {
    const lines = Array.from({ length: 5_000 }, (_, n) => `  R${n}: {Type: T${n > 0 ? `, DependsOn: R${n - 1}` : ''}}`);
    const { resources } = await evaluated(`Resources:\n${lines.join('\n')}`);
    expect(resources.get('R4999')?.dependsOn).toEqual(['R4998']);
  });
});

describe('conditions', () => {
  it('in a circle are refused', async () => {
    const error = await errorOf(
      evaluated('Conditions:\n  A: !Not [!Condition B]\n  B: !Not [!Condition A]\nResources:\n  R: {Type: T}'),
    );
    expect(error.message).toBe('Template error: Circular dependency between conditions: [A, B]');
  });

  it('in a chain of 2,000 are refused, and each that fails is reported once', async () => {
    const lines = Array.from({ length: 2_000 }, (_, n) => `  C${n}: !Not [!Condition C${n + 1}]`);
    const error = await errorOf(evaluated(`Conditions:\n${lines.join('\n')}\nResources:\n  R: {Type: T}`));
    expect(error.message).toBe('Template error: More than 500 conditions refer to each other in a chain');
    expect(error.problems.length).toBeLessThanOrEqual(1000);
  });

  it('compare their values as text', async () => {
    const { conditions } = await evaluated(`${HEAD}`);
    expect(Object.fromEntries(conditions)).toEqual({ IsTwo: true, IsOther: false, Both: true });
  });

  it.each([
    ['!Equals [a]', 'Template error: every Fn::Equals object requires a list of 2 string parameters.'],
    [
      '!Equals [a, !Ref R]',
      'Template format error: Unresolved resource dependencies [R] in the Resources block of the template',
    ],
    [
      '!Condition Nope',
      'Template format error: Unresolved condition dependency Nope in the Conditions block of the template',
    ],
  ])('that cannot be evaluated are refused: %s', async (node, message) => {
    expect((await errorOf(evaluated(`Conditions:\n  A: ${node}\nResources:\n  R: {Type: T}`))).message).toBe(message);
  });
});

describe('parameters', () => {
  const declare = (declaration: string, value?: string) =>
    evaluated(`Parameters:\n  V: ${declaration}\nResources:\n  R: {Type: T, Properties: {V: !Ref V}}`, {
      given: value === undefined ? {} : { V: value },
    });
  const valueIn = async (declaration: string, value?: string) =>
    JSON.parse(JSON.stringify((await declare(declaration, value)).properties('R', NOTHING))).V;

  it.each<[string, string | undefined, Json]>([
    ['{Type: String, Default: 1.0}', undefined, '1.0'],
    ['{Type: String, Default: true}', undefined, 'true'],
    ['{Type: Number}', '1.5', '1.5'],
    ['{Type: List<Number>}', '1, 2', ['1', '2']],
    ['{Type: CommaDelimitedList}', '', []],
    ['{Type: AWS::EC2::VPC::Id}', 'vpc-1', 'vpc-1'],
    ['{Type: List<AWS::EC2::Subnet::Id>}', 'a,b', ['a', 'b']],
    ['{Type: AWS::SSM::Parameter::Value<String>, Default: /ami}', undefined, 'ami-1'],
    ['{Type: AWS::SSM::Parameter::Value<List<String>>, Default: /names}', undefined, ['a', 'b']],
    ['{Type: String, AllowedPattern: "(?!aws)[a-z]+"}', 'mine', 'mine'],
    ['{Type: String, AllowedValues: [1, 2.0]}', '2.0', '2.0'],
  ])('%s with %j', async (declaration, value, expected) => {
    expect(await valueIn(declaration, value)).toEqual(expected);
  });

  it.each([
    ['{Type: String}', undefined, 'Parameters: [V] must have values'],
    ['{Type: Number}', 'x', "Parameter 'V' must be a number."],
    ['{Type: List<Number>}', '1,x', "Parameter 'V' must be a number."],
    ['{Type: String, AllowedValues: [a, b]}', 'c', "Parameter 'V' must be one of AllowedValues"],
    ['{Type: String, AllowedPattern: "[a-z]+"}', 'ab1', "Parameter 'V' must match pattern [a-z]+"],
    ['{Type: String, AllowedPattern: "(?!aws)[a-z]+"}', 'awsx', "Parameter 'V' must match pattern (?!aws)[a-z]+"],
    ['{Type: String, MinLength: 3}', 'ab', "Parameter 'V' must contain at least 3 characters"],
    ['{Type: String, MaxLength: "3"}', 'abcd', "Parameter 'V' must contain at most 3 characters"],
    ['{Type: Number, MinValue: 3}', '2', "Parameter 'V' must be a number not less than 3"],
    ['{Type: Number, MaxValue: 3}', '4', "Parameter 'V' must be a number not greater than 3"],
    [
      '{Type: String, MinLength: 3, ConstraintDescription: too short}',
      'ab',
      'Parameter V failed to satisfy constraint: too short',
    ],
    [
      '{Type: AWS::SSM::Parameter::Value<String>}',
      '/x',
      'Unable to fetch parameters [/x] from parameter store for this account.',
    ],
    [
      '{Type: String, AllowedPattern: "(a|a)*\\\\1(?=b)"}',
      'a'.repeat(50),
      "Parameter 'V' must match pattern (a|a)*\\1(?=b)",
    ],
  ])('%s refuse %j', async (declaration, value, message) => {
    expect((await errorOf(declare(declaration, value))).message).toBe(message);
  });

  it('that the template does not declare are refused', async () => {
    const error = await errorOf(evaluated(`${HEAD}`, { given: { Textt: 'x' } }));
    expect(error.message).toBe('Parameters: [Textt] do not exist in the template');
    expect(error.problems[0].suggestion).toBe('Did you mean Text?');
  });
});

describe('functions that multiply a text', () => {
  const topic = (name: string) =>
    evaluated(`{"Resources": {"T": {"Type": "AWS::SNS::Topic", "Properties": {"N": ${name}}}}}`);

  it('are evaluated up to five million characters', async () => {
    const made = (await topic(multiplied(3))).properties('T', NOTHING).N as string;
    expect(made).toHaveLength(100_000);
    for (const levels of [6, 8, 60]) {
      const { message } = await errorOf(topic(multiplied(levels)));
      expect(message).toBe('Template error: the functions of the template make more than 5000000 characters');
    }
  });

  it.each([
    ['a delimiter', `{"Fn::Join": ["${'x'.repeat(100_000)}", [${'"",'.repeat(100)}""]]}`],
    ['a list of many items', `{"Fn::Split": [",", "${','.repeat(600_000)}"]}`],
    ['a parameter', `{"Fn::Sub": ["${'${v}'.repeat(1000)}", {"v": "${'x'.repeat(10_000)}"}]}`],
  ])('are refused: %s', async (_, name) => {
    expect((await errorOf(topic(name))).message).toContain('make more than 5000000 characters');
  });
});

describe('rules', () => {
  const check = (rule: string, given: Record<string, string> = {}) =>
    evaluated(`${HEAD}Rules:\n  R: ${rule}`.replace('Rules:', 'Rules:'), { given });

  it('refuse values that an assertion does not allow', async () => {
    const rule =
      '{Assertions: [{Assert: !Not [!Contains [["1", "2"], !Ref Count]], AssertDescription: Use a newer version.}]}';
    expect((await errorOf(check(rule))).message).toBe('Use a newer version.');
    await expect(check(rule, { Count: '6' })).resolves.toBeDefined();
  });

  it('do not apply while their condition is false', async () => {
    const rule = '{RuleCondition: !Equals [!Ref Text, other], Assertions: [{Assert: !Equals [a, b]}]}';
    await expect(check(rule)).resolves.toBeDefined();
    expect((await errorOf(check(rule, { Text: 'other' }))).message).toContain('assertion 1');
  });

  it('know Fn::EachMemberIn, Fn::EachMemberEquals and Fn::RefAll', async () => {
    const rule = (assert: string) => `{Assertions: [{Assert: ${assert}, AssertDescription: refused}]}`;
    await expect(check(rule('!EachMemberIn [!Ref List, [a, b, c]]'))).resolves.toBeDefined();
    await expect(check(rule('!EachMemberEquals [!RefAll String, text]'))).resolves.toBeDefined();
    expect((await errorOf(check(rule('!EachMemberIn [!Ref List, [a]]')))).message).toBe('refused');
  });
});
