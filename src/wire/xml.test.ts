import { describe, expect, it } from 'vitest';
import { childText, parseXml, renderElement } from './xml.ts';

describe('XML', () => {
  it('renders lists as members or repeated elements, and omits undefined values', () => {
    const value = { Name: 'a<&>"b', None: undefined, Yes: true, Items: ['x', 1] };
    const start = '<R><Name>a&lt;&amp;&gt;&quot;b</Name><Yes>true</Yes>';
    expect(renderElement('R', value, 'member')).toBe(`${start}<Items><member>x</member><member>1</member></Items></R>`);
    expect(renderElement('R', value, 'repeated')).toBe(`${start}<Items>x</Items><Items>1</Items></R>`);
  });

  it('replaces characters that XML cannot represent', () => {
    expect(renderElement('R', 'a\u0000b\ud800c\r\n', 'member')).toBe('<R>a\uFFFDb\uFFFDc&#xD;\n</R>');
  });

  it('parses prefixes, attributes, comments, entities and empty elements', () => {
    const read = parseXml(`<?xml version="1.0"?>
      <!-- one --><s3:Delete xmlns:s3='http://x/y'><s3:Object><s3:Key>a&amp;b&#65;&#x42;</s3:Key></s3:Object>
      <Quiet/><Key><![CDATA[<raw>]]></Key></s3:Delete>`);
    expect(read?.name).toBe('Delete');
    expect(read?.children.map(({ name }) => name)).toEqual(['Object', 'Quiet', 'Key']);
    expect(read?.children[0] && childText(read.children[0], 'Key')).toBe('a&bAB');
    expect(read && childText(read, 'Key')).toBe('<raw>');
  });

  it.each([
    '',
    'text',
    '<a>',
    '<a></b>',
    '<a/><b/>',
    '<a>&bomb;</a>',
    '<a>&</a>',
    '<a b=c/>',
    '<!DOCTYPE a><a/>',
    '</a>',
    '<a>&#x110000;</a>',
  ])('refuses %j', (document) => {
    expect(parseXml(document)).toBeUndefined();
  });
});
