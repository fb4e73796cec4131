/** Templates as YAML: readers of YAML 1.1 and ours get the same tree back. */
import { expect, it } from 'vitest';
import { parse } from 'yaml';
import { readTemplate } from './read-template.ts';
import { renderYaml } from './render-yaml.ts';

const TEXTS = [
  ...[
    '',
    ' ',
    'a',
    'yes',
    'NO',
    'null',
    '~',
    'true',
    '012',
    '0x1f',
    '1_000',
    '2012-10-17',
    '12:30:45',
    '1.5',
    '.5',
    '1e3',
  ],
  ...[
    '=',
    '<<',
    '- a',
    'a: b',
    'a #b',
    '#a',
    '&a',
    '*a',
    '!Ref x',
    '%x',
    '@x',
    '`x',
    '"x"',
    "it's",
    '{a}',
    '[a]',
    'a:',
    ':a',
  ],
  ...[
    'a\nb',
    'a\nb\n',
    'a\n\n',
    '\na',
    ' a\nb',
    'a \nb',
    'a\tb',
    '\ta',
    'a\r\nb',
    'a\u0000b',
    'ä €',
    '\u2028',
    '😀',
    '\ufeff',
    '---',
    '...',
  ],
  ...['#!/bin/sh\nset -e\necho "$1"\n', 'x'.repeat(300), '__proto__', 'C:\\temp', '/var/task', '$' + '{AWS::Region}'],
];

it('gives every text, number and key back, to our reader and to one of YAML 1.1', () => {
  const lines = TEXTS.map((text, index) => `"T${index}": ${JSON.stringify(text)}`);
  const keys = TEXTS.filter((text) => text !== '').map((text) => `${JSON.stringify(text)}: 1`);
  const source = `{"Resources": {${lines.join(',')}, "List": [${TEXTS.map((text) => JSON.stringify(text)).join(',')}],
    "Keys": {${keys.join(',')}}, "N": [1, 2.0, -0.5, 1e10, 1e-30, true, false, null], "Empty": [{}, []]}}`;
  const { body } = readTemplate(source);
  const text = renderYaml(body);
  expect(JSON.stringify(readTemplate(text).body)).toBe(JSON.stringify(body));
  expect(parse(text, { version: '1.1' }).Resources.List).toEqual(TEXTS);
});

it('keeps numbers as they are written, and functions in their long form', () => {
  const { body } = readTemplate(
    'Resources:\n  A:\n    Type: X\n    Properties: {V: 2.0, R: !Ref B, S: !Sub "a${B}", G: !GetAtt B.C}\n',
  );
  expect(renderYaml(body)).toBe(
    [
      'Resources:',
      '  A:',
      '    Type: X',
      '    Properties:',
      '      V: 2.0',
      '      R:',
      '        Ref: B',
      '      S:',
      "        Fn::Sub: 'a${B}'",
      '      G:',
      '        Fn::GetAtt:',
      '          - B',
      '          - C',
      '',
    ].join('\n'),
  );
});
