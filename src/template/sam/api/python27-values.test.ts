import { describe, expect, it } from 'vitest';
import { fromParsed, objectOf, renderJson, setNumberText } from '../../tree.ts';
import {
  areEqual,
  fromTemplate,
  isTrue,
  own,
  ownMap,
  PythonMap,
  plainMap,
  print,
  printJson,
  toTemplate,
} from './python27-values.ts';

describe('values of Python 2.7', () => {
  it('prints the text of a template as unicode, and that of the translator as str', () => {
    const map = new PythonMap();
    map.set(own('type'), own('mock'));
    map.set('type of the template', fromTemplate(['mock', true, null, 3]));
    expect(print(map)).toBe("{u'type of the template': [u'mock', True, None, 3], 'type': 'mock'}");
  });

  it.each([
    ["it's", 'u"it\'s"'],
    ['both \' and "', "u'both \\' and \"'"],
    ['a\\b', "u'a\\\\b'"],
    ['tab\tline\n', "u'tab\\tline\\n'"],
    ['é日😀\u007f', "u'\\xe9\\u65e5\\U0001f600\\x7f'"],
  ])('prints %j as %s', (text, printed) => {
    expect(print([text])).toBe(`[${printed}]`);
  });

  it('leaves the letters of its own text as they are', () => {
    expect(print([own('é日\u0000\u00a0')])).toBe("['é日\\x00\\xa0']");
  });

  it('prints a number with a point as a float', () => {
    const template = objectOf({ swagger: 2, count: 2, share: 0.5, tiny: 0.00001, huge: 1e22 });
    setNumberText(template, 'swagger', '2.0');
    setNumberText(template, 'share', '0.5');
    setNumberText(template, 'tiny', '0.00001');
    setNumberText(template, 'huge', '1e22');
    const values = fromTemplate(template);
    expect(print(values)).toBe("{u'count': 2, u'huge': 1e+22, u'swagger': 2.0, u'share': 0.5, u'tiny': 1e-05}");
    expect(renderJson(toTemplate(values), 0)).toContain('"swagger":2.0');
  });

  it('prints maps of the translator in the order of insertion where Python 3 does', () => {
    expect(print(plainMap({ put: 1, get: 2, delete: 3 }))).toBe("{'put': 1, 'get': 2, 'delete': 3}");
    expect(print(ownMap({ put: 1, get: 2, delete: 3 }))).toBe("{'put': 1, 'delete': 3, 'get': 2}");
  });

  it('writes JSON in ASCII with the spaces of Python', () => {
    expect(printJson(fromTemplate(fromParsed({ 'ä"': ['x', 1.5, null] })))).toBe('{"\\u00e4\\"": ["x", 1.5, null]}');
  });

  it('makes up for copies of the tree that a map is in, and only for those', () => {
    const root = new PythonMap();
    const methods = new PythonMap();
    for (const method of ['get', 'put', 'post', 'delete']) methods.set(method, null);
    root.deepCopy();
    root.set('paths', [methods]);
    expect(methods.keys()).toEqual(['put', 'post', 'delete', 'get']);
    root.deepCopy();
    expect(methods.keys()).toEqual(['put', 'post', 'get', 'delete']);
    root.deepCopy();
    expect(methods.keys()).toEqual(['put', 'post', 'delete', 'get']);
  });

  it('compares and weighs values as Python does', () => {
    expect(areEqual(own('a'), 'a')).toBe(true);
    expect(areEqual(ownMap({ a: [1] }), fromTemplate(fromParsed({ a: [1] })))).toBe(true);
    expect(areEqual(ownMap({ a: [1] }), ownMap({ a: [2] }))).toBe(false);
    expect([new PythonMap(), [], own(''), '', 0, null].some(isTrue)).toBe(false);
    expect([ownMap({ a: 1 }), [0], own('a'), 'a', 1, true].every(isTrue)).toBe(true);
  });

  it('has a key such as __proto__ like any other', () => {
    const map = new PythonMap();
    map.set('__proto__', 'x');
    expect(map.get('__proto__')).toBe('x');
    expect(map.get('constructor')).toBeUndefined();
    expect(renderJson(toTemplate(map), 0)).toBe('{"__proto__":"x"}');
  });
});
