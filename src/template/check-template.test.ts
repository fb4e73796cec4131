// biome-ignore-all lint/suspicious/noTemplateCurlyInString: Fn::Sub's syntax
import { describe, expect, it } from 'vitest';
import { type CheckOptions, checkTemplate, findProblems } from './check-template.ts';
import { readTemplate } from './read-template.ts';
import { TemplateError } from './template-error.ts';

const messagesOf = (text: string, options?: CheckOptions) =>
  findProblems(readTemplate(text).body, options).map(({ message }) => message);
const RESOURCE = 'Resources:\n  R: {Type: AWS::SNS::Topic}\n';

describe('a template', () => {
  // Recorded on AWS: LocalStack's snapshots of tests/aws/services/cloudformation.
  it.each([
    ['{}', 'Template format error: At least one Resources member must be defined.'],
    ['Resources: {}', 'Template format error: At least one Resources member must be defined.'],
    ['Resources: {A: text}', 'Template format error: Any Resources member must be an object.'],
    ['Resources: {A: {}}', 'Template format error: [/Resources/A] Every Resources object must contain a Type member.'],
    ['Resources: {my-id: {Type: T}}', 'Template format error: Resource name my-id is non alphanumeric.'],
    ['Resources: {AWS::NoValue: {Type: T}}', 'Template format error: Resource name AWS::NoValue is non alphanumeric.'],
    ['Resources: {A: {Type: T, Invalid: 1}}', "Invalid template resource property 'Invalid'"],
    [
      `${RESOURCE}Parameters: {AWS::NoValue: {Type: String}}`,
      'Template format error: Parameter name AWS::NoValue is non alphanumeric.',
    ],
    [
      `${RESOURCE}Outputs: {O: {Description: x}}`,
      'Template format error: Every Outputs member must contain a Value object',
    ],
    [`${RESOURCE}Outputs: {O: {Value: null}}`, "[/Outputs/O/Value] 'null' values are not allowed in templates"],
    [`${RESOURCE}Mappings: {M: {A: text}}`, 'Template format error: Every Mappings member A must be a map'],
    [
      `${RESOURCE}Mappings: {M: {A: {B: {C: d}}}}`,
      'Template format error: Every Mappings attribute must be a String or a List.',
    ],
    [
      `${RESOURCE}Mappings: {M: {A: {B: !Ref R}}}`,
      'Template format error: Every Mappings attribute must be a String or a List.',
    ],
    [
      `${RESOURCE}Conditions: {C: !Equals [a]}`,
      'Template error: every Fn::Equals object requires a list of 2 string parameters.',
    ],
    [
      `${RESOURCE}  S: {Type: T, Properties: {X: !GetAtt R}}`,
      'Template error: every Fn::GetAtt object requires two non-empty parameters, the resource name and the resource attribute',
    ],
    [
      `${RESOURCE}  S: {Type: T, Properties: {X: !Select [1]}}`,
      'Template error: Fn::Select requires a list argument with two elements: an integer index and a list',
    ],
    [
      `${RESOURCE}  S: {Type: T, Properties: {X: !Split [a]}}`,
      'Template error: every Fn::Split object requires two parameters, (1) a string delimiter and (2) a string to be split or a function that returns a string to be split.',
    ],
  ])('%j is refused in CloudFormation`s words', (text, message) => {
    expect(messagesOf(text)).toEqual([message]);
  });

  it.each([
    [
      `${RESOURCE}Parameters: {P: {Type: Strin}}`,
      'Template format error: Unrecognized parameter type: Strin',
      'Did you mean String?',
    ],
    [
      `${RESOURCE}Parameters: {P: {Type: String, Defalt: x}}`,
      "Invalid template parameter property 'Defalt'",
      'Did you mean Default?',
    ],
    [`${RESOURCE}Outputz: {}`, 'Invalid template property or properties [Outputz]', 'Did you mean Outputs?'],
    [
      'Resources: {A: {Type: T, DependOn: B}}',
      "Invalid template resource property 'DependOn'",
      'Did you mean DependsOn?',
    ],
    [
      'Resources: {A: {Type: T, DeletionPolicy: Retian}}',
      'Template format error: Unrecognized DeletionPolicy Retian for resource A',
      'Did you mean Retain?',
    ],
    [
      'Resources: {A: {Tpye: T}}',
      'Template format error: [/Resources/A] Every Resources object must contain a Type member.',
      'Did you mean Type by Tpye?',
    ],
    [
      `${RESOURCE}  S: {Type: T, Properties: {X: !Sub "\${a-b}"}}`,
      'Template error: variable names in Fn::Sub syntax must contain only alphanumeric characters, underscores, periods, and colons',
      'Write ${!a-b} for the literal text ${a-b}.',
    ],
  ])('%j comes with a suggestion', (text, message, suggestion) => {
    expect(findProblems(readTemplate(text).body)).toContainEqual(expect.objectContaining({ message, suggestion }));
  });

  it('with a misspelled function names the functions and the nearest one', () => {
    const [problem] = findProblems(readTemplate(`${RESOURCE}  S: {Type: T, Properties: {X: !Sbu x}}`).body);
    expect(problem?.message).toMatch(
      /^Template error: Encountered unsupported function: Fn::Sbu Supported functions are: \[Ref, /,
    );
    expect(problem?.suggestion).toBe('Did you mean Fn::Sub?');
  });

  it('is checked for properties of known types where the caller knows them', () => {
    const typeOf = (type: string) =>
      type === 'AWS::SNS::Topic'
        ? { properties: ['TopicName', 'Role'], required: ['Role'], attributes: [] }
        : undefined;
    const text =
      'Resources:\n  A: {Type: AWS::SNS::Topic, Properties: {TopicNam: x}}\n  B: {Type: AWS::SNS::Topik}\n  C: {Type: Custom::X, Properties: {Y: z}}';
    expect(findProblems(readTemplate(text).body, { typeOf, typeNames: ['AWS::SNS::Topic'] })).toMatchObject([
      {
        message: 'Property validation failure: [Encountered unsupported properties in {/}: [TopicNam]]',
        suggestion: 'Did you mean TopicName?',
      },
      { message: 'Property validation failure: [The property {/Role} is required]' },
      {
        message: 'Template format error: Unrecognized resource types: [AWS::SNS::Topik]',
        suggestion: 'Did you mean AWS::SNS::Topic?',
      },
    ]);
  });

  it('with ten mistakes has ten problems with their places', () => {
    const { body, places } = readTemplate(
      [
        'Reources: {}',
        'Parameters:',
        '  bad-name: {Type: String}',
        '  P: {Typ: String}',
        'Conditions:',
        '  C: {Fn::Equal: [a, b]}',
        'Resources:',
        '  A:',
        '    Type: AWS::SNS::Topic',
        '    DependOn: B',
        '    Properties:',
        '      X: !Sbu x',
        '      Y: !Join [a]',
        '  B: nothing',
        'Outputs:',
        '  O: {Valu: 1}',
      ].join('\n'),
    );
    let error: unknown;
    try {
      checkTemplate(body);
    } catch (thrown) {
      error = thrown;
    }
    const problems = error instanceof TemplateError ? error.locate(places).problems : [];
    expect(problems.map(({ place }) => `${place?.line}:${place?.column}`)).toEqual([
      '1:1',
      '3:3',
      '4:3',
      '4:7',
      '10:5',
      '14:3',
      '16:3',
      '16:7',
      '6:7',
      '12:10',
      '13:10',
    ]);
  });

  it('of SAM may have Globals, embedded connectors and implicit sections', () => {
    expect(
      messagesOf(
        'Transform: AWS::Serverless-2016-10-31\nGlobals: {}\nResources: {F: {Type: AWS::Serverless::Function, Connectors: {}}}',
      ),
    ).toEqual([]);
  });
});
