// biome-ignore-all lint/suspicious/noTemplateCurlyInString: Fn::Sub's syntax
import { describe, expect, it } from 'vitest';
import { readTemplate } from './read-template.ts';
import { TemplateError } from './template-error.ts';
import { renderJson } from './tree.ts';

const body = (text: string) => JSON.parse(JSON.stringify(readTemplate(text).body));

function problemsOf(text: string, options = {}) {
  try {
    readTemplate(text, options);
  } catch (error) {
    if (error instanceof TemplateError) return error.problems;
    throw error;
  }
  throw new Error('the template was read');
}

describe('a template in YAML', () => {
  it('has the short tags in their long form', () => {
    const text = [
      'A: !Ref X',
      'B: !Sub "${X}"',
      'C: !GetAtt X.Y.Z',
      'D: !Join [",", [!Ref X, !Select [1, !Split [",", a]]]]',
      'E: !Condition IsIt',
      'F: !If [IsIt, !Ref AWS::NoValue, 1]',
      'G: !Base64\n  Fn::Sub: x',
      'H: !Select 1',
      'I: !GetAtt [X, Y]',
    ].join('\n');
    expect(body(text)).toEqual({
      A: { Ref: 'X' },
      B: { 'Fn::Sub': '${X}' },
      C: { 'Fn::GetAtt': ['X', 'Y.Z'] },
      D: { 'Fn::Join': [',', [{ Ref: 'X' }, { 'Fn::Select': [1, { 'Fn::Split': [',', 'a'] }] }]] },
      E: { Condition: 'IsIt' },
      F: { 'Fn::If': ['IsIt', { Ref: 'AWS::NoValue' }, 1] },
      G: { 'Fn::Base64': { 'Fn::Sub': 'x' } },
      H: { 'Fn::Select': '1' },
      I: { 'Fn::GetAtt': ['X', 'Y'] },
    });
  });

  it.each([
    ['yes', true],
    ['Off', false],
    ['y', 'y'],
    ['2012-10-17', '2012-10-17'],
    ['2026-12-01T10:00:00Z', '2026-12-01T10:00:00Z'],
    ['012345670123', '012345670123'],
    ['0o17', '0o17'],
    ['22:22', '22:22'],
    ['0x1F', 31],
    ['-12', -12],
    ['1_000', 1000],
    ['2.50', 2.5],
    ['1e3', '1e3'],
    ['~', null],
    ['', null],
    ['"yes"', 'yes'],
    ['!!str 12', '12'],
    ['.inf', '.inf'],
  ])('reads the scalar %s as YAML 1.1, without dates and octal numbers', (scalar, value) => {
    expect(body(`V: ${scalar}`)).toEqual({ V: value });
  });

  it('keeps keys as they are written', () => {
    expect(body('200: a\n0404: b\non: c\n1.0: d')).toEqual({ 200: 'a', '0404': 'b', on: 'c', '1.0': 'd' });
  });

  it('keeps how numbers are written', () => {
    const { body: read } = readTemplate('a: 2.0\nb: [1.50, 3]\nc: 123456789012345678901');
    expect(renderJson(read, 0)).toBe('{"a":2.0,"b":[1.50,3],"c":123456789012345678901}');
  });

  it('resolves aliases and merge keys, the map`s own keys first', () => {
    const text = 'base: &b {x: 1, y: 2}\nother: &o {y: 3, z: 4}\nsame: *b\nmerged:\n  y: 0\n  <<: [*b, *o]';
    expect(body(text)).toMatchObject({ same: { x: 1, y: 2 }, merged: { x: 1, y: 0, z: 4 } });
  });

  it('refuses aliases in CloudFormation`s words where the caller asks for it', () => {
    expect(problemsOf('a: &a {}\nb: *a', { aliases: 'refuse' })).toMatchObject([
      {
        message: 'Template error: YAML aliases are not allowed in CloudFormation templates',
        place: { line: 2, column: 4 },
      },
    ]);
  });

  it('takes quoted text and brackets that are indented less than their parent, as YAML 1.1 readers do', () => {
    expect(body("a:\n  b:\n    c: 'one\n two'\n    d: [\n   1\n  ]\n    e: {\n}\n")).toEqual({
      a: { b: { c: 'one two', d: [1], e: {} } },
    });
  });

  it('ends a block scalar without a line break where the text has none', () => {
    expect(body('a: |\n  x\n  y')).toEqual({ a: 'x\ny' });
    expect(body('a: |\n  x\n  y\n')).toEqual({ a: 'x\ny\n' });
  });

  it('takes the last of duplicate keys where CloudFormation does', () => {
    const { body: map } = readTemplate('A: {x: 1, y: 2, x: 3}', { duplicateKeys: 'last' });
    expect(JSON.parse(renderJson(map))).toEqual({ A: { x: 3, y: 2 } });
  });

  it('reports every duplicate key with its place', () => {
    expect(problemsOf('A:\n  x: 1\n  x: 2\nB: {y: 1, y: 2}', { fileName: 't.yaml' })).toMatchObject([
      { message: 'Template format error: YAML not well-formed. (line 3, column 3)', suggestion: 'Duplicate key x.' },
      { place: { file: 't.yaml', line: 4, column: 11 }, suggestion: 'Duplicate key y.' },
    ]);
  });

  it.each([
    ['a: [1, 2', 'YAML not well-formed. (line 1, column 9)'],
    ['a: b: c', 'YAML not well-formed. (line 1, column 4)'],
    ['- a', 'unsupported structure.'],
    ['', 'unsupported structure.'],
    ['just text', 'unsupported structure.'],
    ['a: 1\n---\nb: 2', 'YAML not well-formed. (line 2, column 1)'],
    ['a: !!binary aGk=', 'YAML not well-formed. (line 1, column 13)'],
    ['? [a, b]\n: c', 'YAML not well-formed. (line 1, column 3)'],
    ['a: *none', 'YAML not well-formed. (line 1, column 4)'],
  ])('refuses %j', (text, message) => {
    expect(problemsOf(text)[0]?.message).toBe(`Template format error: ${message}`);
  });
});

describe('a template in JSON', () => {
  it('has the same tree as in YAML', () => {
    const text = '{"a": {"b": [1, 2.0, "x\\n\\u00e9", null, true]}, "c\\"": {}}';
    expect(body(text)).toEqual(JSON.parse(text));
    expect(readTemplate(text).format).toBe('json');
    expect(renderJson(readTemplate(text).body, 0)).toBe('{"a":{"b":[1,2.0,"x\\né",null,true]},"c\\"":{}}');
  });

  // Recorded on AWS: ValidateTemplate of this text.
  it('that is not valid is refused with line and column', () => {
    expect(problemsOf('{"this is invalid JSON"="bobbins"}')[0]?.message).toBe(
      'Template format error: JSON not well-formed. (line 1, column 25)',
    );
  });

  it('has at most one member of a name', () => {
    expect(problemsOf('{"a": 1,\n "a": 2}')).toMatchObject([
      { message: 'Template format error: JSON not well-formed. (line 2, column 2)', suggestion: 'Duplicate key a.' },
    ]);
  });
});

describe('places', () => {
  const yaml = readTemplate(
    'Resources:\n  F:\n    Type: T\n    Properties:\n      Uri: !Sub x\n      L:\n        - a\n        - !Ref b',
    {
      fileName: 't.yaml',
    },
  ).places;

  it('are known for each key, item and argument of a short tag', () => {
    expect(yaml.of(['Resources', 'F', 'Properties', 'Uri'])).toEqual({ file: 't.yaml', line: 5, column: 7 });
    expect(yaml.ofValue(['Resources', 'F', 'Properties', 'Uri', 'Fn::Sub'])).toMatchObject({ line: 5, column: 17 });
    expect(yaml.of(['Resources', 'F', 'Properties', 'L', 1])).toMatchObject({ line: 8, column: 11 });
    expect(yaml.of(['Resources', 'G'])).toBeUndefined();
  });

  it('of an unknown node are those of the closest node above it', () => {
    expect(yaml.near(['Resources', 'F', 'Properties', 'Nothing', 3])).toMatchObject({ line: 4, column: 5 });
  });

  it('are known in JSON too', () => {
    const { places } = readTemplate('{\n  "A": {"b": [1,\n 2]}\n}');
    expect(places.of(['A', 'b'])).toEqual({ line: 2, column: 9 });
    expect(places.of(['A', 'b', 1])).toEqual({ line: 3, column: 2 });
  });
});

describe('hostile templates', () => {
  const bomb = (levels: number) =>
    ['a0: &a0 [x, x, x, x, x, x, x, x, x]']
      .concat(Array.from({ length: levels }, (_, n) => `a${n + 1}: &a${n + 1} [${Array(9).fill(`*a${n}`).join(', ')}]`))
      .join('\n');

  it.each([
    ['a bomb of aliases', bomb(9)],
    ['an alias inside its own anchor', 'a: &a [*a]'],
    ['deep flow lists', `a: ${'['.repeat(400_000)}`],
    ['deep flow maps', `a: ${'{a: '.repeat(200_000)}`],
    ['deep block lists on one line', '- '.repeat(400_000)],
    ['deep explicit keys', '? '.repeat(400_000)],
    ['a million commas', `a: [${','.repeat(900_000)}]`],
    ['a million line breaks', `a: 1${'\n'.repeat(900_000)}b: 2`],
    ['20,000 errors', 'a: *x\n'.repeat(20_000)],
    ['20,000 documents', '---\n'.repeat(20_000)],
    ['deep JSON', `${'{"a":'.repeat(150_000)}1${'}'.repeat(150_000)}`],
    ['deep JSON within the bounds of the parser', `${'{"a":'.repeat(500)}1${'}'.repeat(500)}`],
  ])('are refused: %s', (_, text) => {
    expect(problemsOf(text)[0]?.message).toMatch(
      /^Template format error: (YAML|JSON) not well-formed\. \(line \d+, column \d+\)$/,
    );
  });

  it('are refused before they are read where they are larger than CloudFormation takes', () => {
    expect(problemsOf(`a: ${'x'.repeat(10_000_000)}`)[0]?.message).toBe(
      'Template may not exceed 1000000 bytes in size.',
    );
  });

  it('cannot change prototypes', () => {
    for (const text of [
      '__proto__: {polluted: yes}\nconstructor: 1',
      '{"__proto__": {"polluted": true}, "constructor": 1}',
    ]) {
      const { body: read } = readTemplate(text);
      expect(Object.keys(read)).toEqual(['__proto__', 'constructor']);
      expect(read.polluted).toBeUndefined();
      expect(({} as Record<string, unknown>).polluted).toBeUndefined();
    }
  });
});
