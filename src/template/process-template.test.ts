// biome-ignore-all lint/suspicious/noTemplateCurlyInString: Fn::Sub's syntax
import { describe, expect, it } from 'vitest';
import { type DynamicReference, dynamicReferencesIn, resolveDynamicReferences } from './dynamic-references.ts';
import { type ProcessingOptions, processTemplate, transformNames } from './process-template.ts';
import { readTemplate } from './read-template.ts';
import { TemplateError } from './template-error.ts';
import type { JsonObject } from './tree.ts';

const STACK = { region: 'eu-west-1', accountId: '123456789012', stackName: 'shop', stackId: 'id' };

async function processed(text: string, options: Partial<ProcessingOptions> = {}): Promise<JsonObject> {
  const { body } = readTemplate(text);
  const result = await processTemplate(body, {
    stack: STACK,
    given: new Map(),
    lookups: { ssm: () => undefined },
    ...options,
  });
  return JSON.parse(JSON.stringify(result.body));
}

async function errorOf(work: Promise<unknown>): Promise<TemplateError> {
  const error = await work.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (error instanceof TemplateError) return error;
  throw error ?? new Error('there was no error');
}

describe('AWS::Include', () => {
  const FILES: Record<string, string> = {
    's3://b/eu-west-1.yaml': 'DisplayName: included\nTopicName: !Sub "${AWS::StackName}"',
    's3://b/resources.json': '{"Resources": {"B": {"Type": "T"}}, "Outputs": {"O": {"Value": 1}}}',
    's3://b/list.yaml': '- a',
  };
  const fetchSnippet = async (location: string) => {
    const text = FILES[location];
    if (text === undefined) throw new Error('S3 bucket [doesnotexist] does not exist.');
    return text;
  };
  const using = (location: string) => `
Resources:
  A:
    Type: T
    Properties:
      TopicName: own
      Fn::Transform: {Name: AWS::Include, Parameters: {Location: ${location}}}`;

  it('adds the members of the file beside those that the template has', async () => {
    expect(await processed(using('!Sub "s3://b/${AWS::Region}.yaml"'), { fetchSnippet })).toEqual({
      Resources: { A: { Type: 'T', Properties: { TopicName: 'own', DisplayName: 'included' } } },
    });
  });

  it('adds whole sections when the section Transform lists it', async () => {
    const text =
      'Transform: {Name: AWS::Include, Parameters: {Location: s3://b/resources.json}}\nResources: {A: {Type: T}}';
    expect(await processed(text, { fetchSnippet })).toEqual({
      Resources: { A: { Type: 'T' }, B: { Type: 'T' } },
      Outputs: { O: { Value: 1 } },
    });
  });

  it.each([
    // Recorded on AWS: LocalStack's test_change_set_fn_transform.
    ['s3://x/y', 'Transform AWS::Include failed with: S3 bucket [doesnotexist] does not exist.'],
    [
      's3://b/list.yaml',
      'Transform AWS::Include failed with: The file s3://b/list.yaml: Template format error: unsupported structure.',
    ],
    ['{a: b}', 'Transform AWS::Include failed with: Parameter Location must be a string.'],
  ])('of %s fails in CloudFormation`s words', async (location, message) => {
    expect((await errorOf(processed(using(location), { fetchSnippet }))).message).toBe(message);
  });

  it('is the only macro', async () => {
    const text = 'Resources: {A: {Type: T, Properties: {Fn::Transform: {Name: Mine}}}}';
    expect((await errorOf(processed(text, { fetchSnippet }))).message).toBe('No transform named Mine found.');
    expect((await errorOf(processed('Transform: Mine\nResources: {A: {Type: T}}'))).message).toBe(
      'No transform named Mine found.',
    );
  });
});

describe('AWS::LanguageExtensions', () => {
  const HEAD = 'Transform: AWS::LanguageExtensions\nParameters: {Names: {Type: CommaDelimitedList, Default: "a,b"}}\n';

  it('repeats resources, outputs and properties', async () => {
    const text = `${HEAD}
Resources:
  Fn::ForEach::Topics:
    - Name
    - !Ref Names
    - Topic\${Name}:
        Type: AWS::SNS::Topic
        Properties:
          TopicName: !Sub 'x-\${Name}'
          Tag: !Ref Name
          Fn::ForEach::Inner: [Key, [p, q], {'\${Key}\${Name}': !Ref Key}]
Outputs:
  Fn::ForEach::Arns:
    - Id
    - [x.1, y.2]
    - 'Out&{Id}': {Value: '\${Id}'}`;
    expect(await processed(text)).toMatchObject({
      Resources: {
        Topica: { Properties: { TopicName: { 'Fn::Sub': 'x-a' }, Tag: 'a', pa: 'p', qa: 'q' } },
        Topicb: { Properties: { TopicName: { 'Fn::Sub': 'x-b' }, Tag: 'b', pb: 'p', qb: 'q' } },
      },
      Outputs: { Outx1: { Value: 'x.1' }, Outy2: { Value: 'y.2' } },
    });
  });

  it.each([
    ['Fn::ForEach::X: [A, [a, b], {Same: {Type: T}}]', 'the key Same stands twice'],
    ['Fn::ForEach::X: [A, [a]]', 'Fn::ForEach needs a list of an identifier, a collection and a map'],
    [
      'Fn::ForEach::X: [A, text, {"R${A}": {Type: T}}]',
      'the collection of Fn::ForEach must be a list, or Ref to a parameter that is one',
    ],
    [
      'Fn::ForEach::X: [A, [a], {Fn::ForEach::Y: [A, [b], {R: {Type: T}}]}]',
      'the identifier A is already used by an outer loop',
    ],
  ])('refuses %s', async (loop, reason) => {
    expect((await errorOf(processed(`${HEAD}Resources:\n  ${loop}`))).message).toBe(
      `Transform AWS::LanguageExtensions failed with: ${reason}.`,
    );
  });

  it('refuses loops that would make too much', async () => {
    const items = JSON.stringify(Array.from({ length: 100 }, (_, n) => `i${n}`));
    const nested = ['A', 'B', 'C'].reduceRight(
      (inner, name) => `{Fn::ForEach::L${name}: [${name}, ${items}, ${inner}]}`,
      '{"R${A}${B}${C}": {Type: T}}',
    );
    expect((await errorOf(processed(`${HEAD}Resources: ${nested}`))).message).toContain('more than 200000 values');
  });

  it('refuses loops whose values multiply a text', async () => {
    const loop = (identifier: string, item: string, output: string) =>
      `{"Fn::ForEach::L${identifier}": ["${identifier}", ["${item}"], ${output}]}`;
    const output = loop('J', '${I}'.repeat(2_000), loop('K', '${J}'.repeat(2_000), '{"K": "${K}"}'));
    const text = `${HEAD}Metadata: ${loop('I', 'x'.repeat(5_000), output)}\nResources: {T: {Type: AWS::SNS::Topic}}`;
    expect((await errorOf(processed(text))).message).toContain('the loops make more than 5000000 characters');
  });
});

describe('AWS::Serverless-2016-10-31', () => {
  const SAM = 'Transform: AWS::Serverless-2016-10-31\n';

  it('replaces the resources of SAM, with values of parameters', async () => {
    const text = `${SAM}Parameters: {Handler: {Type: String}}
Resources: {F: {Type: AWS::Serverless::Function, Properties: {Runtime: provided.al2023, Handler: !Ref Handler, CodeUri: s3://b/k}}}`;
    const body = await processed(text, { given: new Map([['Handler', 'index']]) });
    expect(body.Resources).toMatchObject({ F: { Type: 'AWS::Lambda::Function' }, FRole: { Type: 'AWS::IAM::Role' } });
    expect(body.Transform).toBeUndefined();
  });

  it('reports every error with its resource', async () => {
    const text = `${SAM}Resources:
  A: {Type: AWS::Serverless::Function, Properties: {Foo: 1}}
  B: {Type: AWS::Serverless::LayerVersion, Properties: {Bar: 1}}`;
    const error = await errorOf(processed(text));
    expect(error.message).toMatch(
      /^Transform AWS::Serverless-2016-10-31 failed with: Invalid Serverless Application Specification document\. Number of errors found: 2\. Resource with id \[A\] is invalid\. /,
    );
    expect(error.problems.map(({ path }) => path)).toEqual([
      ['Resources', 'A'],
      ['Resources', 'B'],
    ]);
  });
});

it('the names of transforms are those of the section and of functions', () => {
  const { body } = readTemplate(
    'Transform: [A, {Name: B}]\nResources: {R: {Type: T, Properties: {Fn::Transform: {Name: C}}}}',
  );
  expect(transformNames(body)).toEqual(['A', 'B', 'C']);
});

describe('dynamic references', () => {
  const SECRETS: Record<string, string> = { db: '{"user": "root", "port": 3306}', plain: 'text' };
  const lookup = (reference: DynamicReference) =>
    reference.service === 'secretsmanager' ? SECRETS[reference.secretId] : { '/url': 'http://x' }[reference.name];

  it('are replaced anywhere in texts', async () => {
    const { body } = readTemplate(
      'A: "u={{resolve:secretsmanager:db:SecretString:user}};p={{resolve:secretsmanager:db:SecretString:port}}"\nB: ["{{resolve:ssm:/url:3}}", "{{resolve:secretsmanager:plain}}"]',
    );
    expect(JSON.parse(JSON.stringify(await resolveDynamicReferences(body, lookup)))).toEqual({
      A: 'u=root;p=3306',
      B: ['http://x', 'text'],
    });
  });

  it('name parameters with versions, and secrets by ARN with stage and version', () => {
    const arn = 'arn:aws:secretsmanager:eu-west-1:123456789012:secret:db-AbCdEf';
    expect(
      dynamicReferencesIn(
        `{{resolve:ssm-secure:p:2}} {{resolve:secretsmanager:${arn}:SecretString:k:AWSCURRENT}} {{resolve:secretsmanager:s:SecretString:::v1}}`,
      ),
    ).toEqual([
      { service: 'ssm-secure', name: 'p', version: '2' },
      { service: 'secretsmanager', secretId: arn, jsonKey: 'k', versionStage: 'AWSCURRENT' },
      { service: 'secretsmanager', secretId: 's', versionId: 'v1' },
    ]);
  });

  it.each([
    ['{{resolve:secretsmanager:none}}', "Secrets Manager can't find the specified secret."],
    ['{{resolve:ssm:none}}', 'Unable to fetch parameters [none] from parameter store for this account.'],
    [
      '{{resolve:secretsmanager:db:SecretString:none}}',
      'Could not find a value associated with JSONKey in SecretString',
    ],
    ['{{resolve:ssm:}}', 'Incorrect format is used in the following dynamic reference: {{resolve:ssm:}}'],
  ])('without a value fail: %s', async (text, message) => {
    expect((await errorOf(resolveDynamicReferences(text, lookup))).message).toBe(message);
  });

  it('in a text with many openings are found in linear time', async () => {
    const text = '{{resolve:ssm:'.repeat(60_000);
    expect(await resolveDynamicReferences(text, lookup)).toBe(text);
  });
});
