// biome-ignore-all lint/suspicious/noTemplateCurlyInString: Fn::Sub's syntax
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { buildIfStale, lamella } from '../../../test/support/built-cli.ts';

const directory = mkdtempSync(join(tmpdir(), 'lamella-template-'));
beforeAll(() => buildIfStale(), 120_000);
afterAll(() => rmSync(directory, { recursive: true, force: true }));

function file(name: string, text: string): string {
  const path = join(directory, name);
  writeFileSync(path, text);
  return path;
}

async function run(...args: string[]) {
  const { code, stdout, stderr } = await lamella(args);
  return { code, stdout: stdout.toString(), stderr: stderr.toString() };
}

const SAM = `Transform: AWS::Serverless-2016-10-31
Parameters:
  Stage: {Type: String}
Resources:
  F:
    Type: AWS::Serverless::Function
    Properties: {Runtime: provided.al2023, Handler: !Ref Stage, CodeUri: s3://bucket/key}
`;

describe('lamella template transform', () => {
  it('prints the template that the SAM transform makes, for the region and the declared parameters', async () => {
    const parameters = '{"Stage": "prod", "Undeclared": "ignored"}';
    const { code, stdout, stderr } = await run(
      'template',
      'transform',
      file('sam.yaml', SAM),
      '--region',
      'cn-north-1',
      '--parameters',
      parameters,
    );
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    const { Resources: resources, Transform: transform } = JSON.parse(stdout);
    expect(transform).toBeUndefined();
    expect(resources.F).toMatchObject({ Type: 'AWS::Lambda::Function', Properties: { Code: { S3Bucket: 'bucket' } } });
    expect(resources.FRole.Properties.ManagedPolicyArns).toEqual([
      'arn:aws-cn:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole',
    ]);
  });

  it('prints AWS`s message for a template with errors', async () => {
    const text = SAM.replace('CodeUri: s3://bucket/key', 'CodeUri: src/, Nothing: 1');
    expect(await run('template', 'transform', file('wrong.yaml', text))).toEqual({
      code: 1,
      stdout: '',
      stderr:
        'Invalid Serverless Application Specification document. Number of errors found: 1. Resource with id [F] is invalid. property Nothing not defined for resource of type AWS::Serverless::Function\n',
    });
  });

  it('prints CloudFormation`s message for a text that is not a template', async () => {
    expect(await run('template', 'transform', file('broken.yaml', 'a: [1'))).toEqual({
      code: 1,
      stdout: '',
      stderr: 'Template format error: YAML not well-formed. (line 1, column 6)\n',
    });
  });

  it.each([
    [['no-such-file.yaml'], 2, 'no-such-file.yaml'],
    [[file('sam2.yaml', SAM), '--parameters', '{'], 2, '--parameters must be a JSON object'],
    [[file('sam3.yaml', SAM), '--parameters', '[1]'], 2, '--parameters must be a JSON object'],
  ])('refuses %j', async (args, code, message) => {
    const result = await run('template', 'transform', ...args);
    expect(result).toMatchObject({ code, stdout: '' });
    expect(result.stderr).toContain(message);
  });
});

describe('lamella validate', () => {
  const WRONG = `Resources:
  Topic:
    Type: AWS::SNS::Topc
    DependOn: Queue
  Queue:
    Type: AWS::SQS::Queue
    Properties:
      QueueNam: !Sub "\${Topic.Arrn}"
Outputs:
  Arn: {Value: !GetAtt Queue.Arrn}
  Url: {Value: !Ref Queu}
`;

  it('prints every problem with its place, the lines around it and a suggestion', async () => {
    const path = file('many.yaml', WRONG);
    const { code, stdout, stderr } = await run('validate', path);
    expect({ code, stderr }).toEqual({ code: 1, stderr: `5 problems in ${path}\n` });
    expect(stdout.split('\n').filter((line) => line.startsWith(path))).toEqual([
      `${path}:3:5: Template format error: Unrecognized resource types: [AWS::SNS::Topc]`,
      `${path}:4:5: Invalid template resource property 'DependOn'`,
      `${path}:8:7: Property validation failure: [Encountered unsupported properties in {/}: [QueueNam]]`,
      `${path}:10:16: [Error] /Outputs/Arn/Value/Fn::GetAtt: Resource type AWS::SQS::Queue does not support attribute {Arrn}.`,
      `${path}:11:16: Unresolved resource dependencies [Queu] in the Outputs block of the template`,
    ]);
    expect(stdout).toContain(
      '    3 |     Type: AWS::SNS::Topc\n    4 |     DependOn: Queue\n      |     ^\n      Did you mean DependsOn?\n',
    );
  });

  it('prints the problems as JSON', async () => {
    const { code, stdout } = await run('validate', file('json.yaml', WRONG), '--json');
    expect(code).toBe(1);
    expect(JSON.parse(stdout).problems).toContainEqual({
      message: "Invalid template resource property 'DependOn'",
      line: 4,
      column: 5,
      path: ['Resources', 'Topic', 'DependOn'],
      suggestion: 'Did you mean DependsOn?',
    });
  });

  it('finds no problem in a template with local files and parameters without values', async () => {
    const path = file('right.yaml', SAM.replace('s3://bucket/key', 'src/'));
    expect(await run('validate', path)).toEqual({ code: 0, stdout: `${path}: no problems found\n`, stderr: '' });
  });

  it('checks the values of parameters that it gets', async () => {
    const path = file('values.yaml', SAM.replace('{Type: String}', '{Type: String, AllowedValues: [dev, prod]}'));
    const { code, stdout } = await run(
      'validate',
      path,
      '--parameters',
      '[{"ParameterKey": "Stage", "ParameterValue": "test"}]',
    );
    expect(code).toBe(1);
    expect(stdout).toContain(`${path}:3:3: Parameter 'Stage' must be one of AllowedValues`);
  });

  it('warns of numbers with a leading zero, and succeeds', async () => {
    const path = file('octal.yaml', 'Resources: {R: {Type: AWS::SQS::Queue, Metadata: {Account: 012345670123}}}');
    const { code, stdout } = await run('validate', path);
    expect(code).toBe(0);
    expect(stdout).toContain(`${path}:1:60: warning: 012345670123 begins with a zero.`);
  });
});
