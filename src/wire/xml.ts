/**
 * XML as in AWS's older protocols: elements and text, and no attributes but the namespace. There are two forms of
 * lists: IAM, STS and SNS wrap each item in `<member>`; S3 and SQS repeat the element.
 */

/** Undefined members are omitted. */
export type XmlValue =
  | string
  | number
  | boolean
  | undefined
  | XmlEntries
  | readonly XmlValue[]
  | { readonly [name: string]: XmlValue };

/** A map in the query protocol: `<entry><key/><value/></entry>` ... */
export class XmlEntries {
  readonly entries: Readonly<Record<string, string>>;

  constructor(entries: Readonly<Record<string, string>>) {
    this.entries = entries;
  }
}

export type XmlStructure = { readonly [name: string]: XmlValue };

export type XmlListStyle = 'member' | 'repeated';

/** `<name>...</name>` */
export function renderElement(name: string, value: XmlValue, lists: XmlListStyle): string {
  if (value === undefined) return '';
  if (typeof value !== 'object') return `<${name}>${escapeXml(String(value))}</${name}>`;
  if (value instanceof XmlEntries) {
    const entries = Object.entries(value.entries).map(([key, item]) =>
      renderElement('entry', { key, value: item }, lists),
    );
    return `<${name}>${entries.join('')}</${name}>`;
  }
  if (Array.isArray(value)) {
    const items = value as readonly XmlValue[];
    if (lists === 'repeated') return items.map((item) => renderElement(name, item, lists)).join('');
    return `<${name}>${items.map((item) => renderElement('member', item, lists)).join('')}</${name}>`;
  }
  return `<${name}>${renderMembers(value as XmlStructure, lists)}</${name}>`;
}

/** The members of a structure as plain values: maps as objects, without undefined members. */
export function valueOfXml(value: XmlValue): unknown {
  if (typeof value !== 'object') return value;
  if (value instanceof XmlEntries) return value.entries;
  if (Array.isArray(value)) return (value as readonly XmlValue[]).map(valueOfXml);
  return Object.fromEntries(
    Object.entries(value as XmlStructure).flatMap(([name, item]) =>
      item === undefined ? [] : [[name, valueOfXml(item)]],
    ),
  );
}

export function renderMembers(structure: XmlStructure, lists: XmlListStyle): string {
  return Object.entries(structure)
    .map(([member, item]) => renderElement(member, item, lists))
    .join('');
}

const ESCAPES: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' };

export function escapeXml(text: string): string {
  return (
    text
      .replace(/[&<>"]/g, (character) => ESCAPES[character] ?? character)
      // XML parsers turn a bare carriage return into a line feed.
      .replace(/\r/g, '&#xD;')
      // XML cannot represent control characters and unpaired surrogates.
      .replace(/[^\t\n\u0020-\uD7FF\uE000-\uFFFD\u{10000}-\u{10FFFF}]/gu, '\uFFFD')
  );
}

/** A parsed element. Names have no namespace prefix. */
export type XmlElement = {
  readonly name: string;
  readonly text: string;
  readonly children: readonly XmlElement[];
};

/** Parses a document. Returns undefined if it is not well-formed or has entities other than XML's five. */
export function parseXml(document: string): XmlElement | undefined {
  type Open = { readonly name: string; text: string; readonly children: XmlElement[] };
  const root: Open = { name: '', text: '', children: [] };
  const stack: Open[] = [root];
  const token =
    /<\?[\s\S]*?\?>|<!--[\s\S]*?-->|<!\[CDATA\[([\s\S]*?)\]\]>|<(\/?)([\w:.-]+)(?:\s+[\w:.-]+\s*=\s*(?:"[^"<]*"|'[^'<]*'))*\s*(\/?)>|([^<]+)/y;
  while (token.lastIndex < document.length) {
    const match = token.exec(document);
    const current = stack.at(-1);
    if (!match || !current) return undefined;
    const [, data, close, qualified, selfClose, text] = match;
    if (data !== undefined) current.text += data;
    else if (text !== undefined) {
      const plain = unescapeXml(text);
      if (plain === undefined) return undefined;
      current.text += plain;
    } else if (qualified !== undefined) {
      const name = qualified.slice(qualified.indexOf(':') + 1);
      if (close) {
        if (stack.length < 2 || stack.pop()?.name !== name) return undefined;
      } else {
        const element: Open = { name, text: '', children: [] };
        current.children.push(element);
        if (!selfClose) stack.push(element);
      }
    }
  }
  const isWhole = stack.length === 1 && root.children.length === 1 && root.text.trim() === '';
  return isWhole ? root.children[0] : undefined;
}

/** The text of the first child with this name. */
export function childText(element: XmlElement, name: string): string | undefined {
  return element.children.find((child) => child.name === name)?.text.trim();
}

const ENTITIES: Readonly<Record<string, string>> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" };

function unescapeXml(text: string): string | undefined {
  let isKnown = true;
  const plain = text.replace(/&(?:#(\d+)|#x([0-9a-fA-F]+)|(\w+));|&/g, (_, decimal, hex, name) => {
    const code = decimal ? Number(decimal) : hex ? Number.parseInt(hex, 16) : undefined;
    const character = code === undefined ? ENTITIES[name] : code <= 0x10ffff ? String.fromCodePoint(code) : undefined;
    isKnown &&= character !== undefined;
    return character ?? '';
  });
  return isKnown ? plain : undefined;
}
