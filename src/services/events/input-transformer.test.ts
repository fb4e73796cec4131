import { describe, expect, it } from 'vitest';
import { findUnknownPlaceholder, readPath, renderInput } from './input-transformer.ts';

const EVENT = {
  version: '0',
  id: 'e-1',
  'detail-type': 'order',
  source: 'shop',
  detail: { id: 7, who: { name: 'Ada' }, tags: ['new', 'big'], text: 'a "b" \\ c', flag: true },
};
const RULE = { arn: 'RULE-ARN', name: 'rule', ingestionTime: '2026-12-01T10:00:00Z' };
const PATHS = {
  who: '$.detail.who',
  name: '$.detail.who.name',
  tags: '$.detail.tags',
  first: '$.detail.tags[0]',
  text: '$.detail.text',
  flag: '$.detail.flag',
  none: '$.detail.none',
};
const render = (InputTemplate: string) =>
  renderInput({ InputTransformer: { InputPathsMap: PATHS, InputTemplate } }, EVENT, RULE);

describe('the input of a target', () => {
  it('is the event, a part of it, or fixed text', () => {
    expect(renderInput({}, EVENT, RULE)).toBe(JSON.stringify(EVENT));
    expect(renderInput({ InputPath: '$.detail.who' }, EVENT, RULE)).toBe('{"name":"Ada"}');
    expect(renderInput({ InputPath: '$.detail.who.name' }, EVENT, RULE)).toBe('"Ada"');
    expect(renderInput({ Input: '{"fixed":1}' }, EVENT, RULE)).toBe('{"fixed":1}');
  });

  it.each([
    ['a text', '"<name> bought <first>: <flag>"', '"Ada bought new: true"'],
    ['objects and lists in a text, without quotes', '"<who> and <tags>"', '"{name:Ada} and [new,big]"'],
    ['several lines of text', '"<name>"\n"<first>"', '"Ada"\n"new"'],
    ['JSON', '{"n": <name>, "all": <who>, "list": [<first>]}', '{"n": "Ada", "all": {"name":"Ada"}, "list": ["new"]}'],
    ['text inside of JSON', '{"path": "users/<name>/<name>"}', '{"path": "users/Ada/Ada"}'],
    ['quotes and backslashes of a value', '{"t": "<text>"}', '{"t": "a \\"b\\" \\\\ c"}'],
    ['nothing for a value that the event lacks', '{"x": <none>, "y": "<none>"}', '{"x": "", "y": ""}'],
    [
      'predefined variables',
      '"<aws.events.rule-arn> <aws.events.rule-name> <aws.events.event.ingestion-time>"',
      '"RULE-ARN rule 2026-12-01T10:00:00Z"',
    ],
  ])('can be a template: %s', (_, template, expected) => {
    expect(render(template)).toBe(expected);
  });

  it('can contain the whole event, with or without its detail', () => {
    const text = render('{"short": <aws.events.event>, "full": <aws.events.event.json>}');
    const { detail: _, 'detail-type': detailType, ...rest } = EVENT;
    expect(JSON.parse(String(text))).toEqual({ short: { ...rest, detailType }, full: EVENT });
  });

  it.each([
    ['a list inside of a JSON text', '{"x": "<tags>"}'],
    ['text outside of quotes', '<first> item'],
  ])('is not delivered when a template renders %s', (_, template) => {
    expect(render(template)).toBeUndefined();
  });
});

it('finds the placeholder that nothing defines', () => {
  const unknown = (InputTemplate: string) => findUnknownPlaceholder({ InputPathsMap: PATHS, InputTemplate });
  expect(unknown('"<name> <missing>"')).toBe('missing');
  expect(unknown('"<name> <aws.events.rule-name>"')).toBeUndefined();
});

it.each([
  ['$', EVENT],
  ["$.detail['who'].name", 'Ada'],
  ['$.detail.tags[1]', 'big'],
  ['$.detail.tags[9]', undefined],
  ['$..name', undefined],
  ['detail', undefined],
  ['$.__proto__', undefined],
])('reads the path %s', (path, expected) => {
  expect(readPath(EVENT, path)).toEqual(expected);
});
