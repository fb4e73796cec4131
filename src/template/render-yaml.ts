/**
 * A template's tree as YAML that every reader of templates takes for the same tree: the readers of CloudFormation, the
 * AWS CLI and SAM (YAML 1.1), and ours. Functions have their long form. Comments and anchors of the text that the tree
 * was read from are lost.
 */
import { Document, Scalar } from 'yaml';
import { isObject, type Json, type JsonObject, numberText } from './tree.ts';
import { readPlainScalar } from './yaml-scalars.ts';

/** Text that no reader takes for a number, a date, a boolean or syntax. Everything else is quoted. */
const PLAIN_TEXT = /^[A-Za-z/](?:[\w./:+-]*[\w./+-])?$/;
/** Control characters that YAML has only as escapes in double quotes. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what this is about
const UNPRINTABLE = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u2028\u2029\ufeff\ud800-\udfff]/;

/** Renders a template as YAML. The same tree gives the same text. */
export function renderYaml(body: JsonObject): string {
  // The schema has only text, so that the quotes are those that are chosen here.
  const document = new Document(undefined, { version: '1.1', schema: 'failsafe' });
  document.contents = document.createNode(nodeOf(body, document)) as never;
  return document.toString({ lineWidth: 0, directives: false, flowCollectionPadding: false });
}

function nodeOf(value: Json, document: Document): unknown {
  if (Array.isArray(value)) {
    return document.createNode(value.map((item, index) => scalarOrNode(value, index, item, document)));
  }
  if (!isObject(value)) return plain(String(value));
  const map = document.createNode({}) as import('yaml').YAMLMap;
  for (const [key, item] of Object.entries(value)) {
    map.add(document.createPair(textOf(key), scalarOrNode(value, key, item, document)));
  }
  return map;
}

function scalarOrNode(holder: JsonObject | Json[], key: string | number, item: Json, document: Document): unknown {
  if (typeof item === 'string') return textOf(item);
  if (typeof item === 'number') return plain(textOfNumber(item, numberText(holder, key) ?? String(item)));
  return nodeOf(item, document);
}

/** As it was written, if YAML 1.1 reads a number there: `1e10` of JSON is text. */
function textOfNumber(value: number, written: string): string {
  const [mantissa = '', exponent = ''] = value.toExponential().split('e');
  const exponential = `${mantissa.includes('.') ? mantissa : `${mantissa}.0`}e${exponent}`;
  return (
    [written, String(value), exponential].find((text) => typeof readPlainScalar(text).value === 'number') ?? written
  );
}

function plain(text: string): Scalar {
  const scalar = new Scalar(text);
  scalar.type = 'PLAIN';
  return scalar;
}

function textOf(text: string): Scalar {
  const scalar = new Scalar(text);
  const isPlain = PLAIN_TEXT.test(text) && typeof readPlainScalar(text).value === 'string';
  const isBlock = text.includes('\n') && !UNPRINTABLE.test(text) && !/^\s|[ \t]\n|[ \t]$/.test(text);
  scalar.type = isPlain
    ? 'PLAIN'
    : isBlock
      ? 'BLOCK_LITERAL'
      : UNPRINTABLE.test(text) || text.includes('\n')
        ? 'QUOTE_DOUBLE'
        : 'QUOTE_SINGLE';
  return scalar;
}
