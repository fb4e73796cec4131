/**
 * Values at and beyond the limits of their types, as tokens of JSON and as text: what a model allows, what its type does
 * not, and what a parser may trip over.
 */
import type { Random } from './target.ts';

/** A token that is written into JSON as it is, because no JavaScript value has its form. */
export class Token {
  readonly text: string;
  constructor(text: string) {
    this.text = text;
  }
}

const NUMBERS = [
  '0',
  '-0',
  '1',
  '-1',
  '2',
  '5',
  '10',
  '20',
  '60',
  '128',
  '900',
  '1000',
  '3008',
  '10240',
  '43200',
  '65535',
  '262144',
  '2147483647',
  '2147483648',
  '-2147483649',
  '4294967296',
  '9007199254740993',
  '9223372036854775807',
  '9223372036854775808',
  '1e400',
  '-1e400',
  '1e-400',
  '1E3',
  '1e+2',
  '0.1',
  '1.0',
  '1.5',
  '-0.0',
  '99999999999999999999',
  `${'9'.repeat(400)}`,
  '1700000000',
  '1700000000000',
  '253402300800',
  '-62135596801',
  '8640000000000001',
  '1e21',
] as const;

/** Not numbers in JSON, but in some programming language. */
const NOT_NUMBERS = ['NaN', 'Infinity', '-Infinity', '+1', '01', '0x10', '1_000', '.5', '1.', '1e', '--1'] as const;

export const DATES = [
  '2026-11-30T00:00:00Z',
  '2026-11-30T00:00:00.123456789Z',
  '0000-01-01T00:00:00Z',
  '9999-12-31T23:59:59Z',
  '+275760-09-13T00:00:00Z',
  '-271821-04-20T00:00:00Z',
  '2026-02-30T00:00:00Z',
  '2026-11-30T24:00:00Z',
  '2026-11-30T23:59:60Z',
  '2026-11-30',
  '20261130T000000Z',
  'Mon, 30 Nov 2026 00:00:00 GMT',
  'Thu, 01 Jan 1970 00:00:00 GMT',
  'Fri, 31 Dec 99999 23:59:59 GMT',
  'Mon, 30 Nov 0000 00:00:00 GMT',
  '1e3',
  'NaN',
  '-1',
  '0',
  '1e400',
  '253402300800',
  'now',
] as const;

const UNITS = [
  '',
  ' ',
  '\t',
  '\r\n',
  '\r\nInjected: yes',
  '\n',
  '\u0000',
  'a\u0000b',
  '\u0001',
  '\u007f',
  '\u0085',
  '\u2028',
  '\ufeff',
  '\ufffe',
  '\ud800',
  '\udfff',
  'a\ud83d',
  '\ud83d\ude00',
  'é',
  'ÿ',
  'Ā',
  'İ',
  'ß',
  '\u202e',
  'e\u0301'.repeat(50),
  '.',
  '..',
  '../..',
  '/',
  '//',
  '\\',
  '%',
  '%00',
  '%2e%2e',
  '%2F',
  '%zz',
  '%c0%ae',
  '%ud800',
  '+',
  '&',
  '=',
  ';',
  '#',
  '?',
  '*',
  '**',
  '"',
  "'",
  '<',
  '>',
  '&amp;',
  ']]>',
  '<!--',
  '<![CDATA[',
  '<!DOCTYPE a [<!ENTITY b "c">]>',
  '&b;',
  '&#0;',
  '&#x110000;',
  '{',
  '}',
  '[',
  ']',
  '${x',
  '{{x}}',
  '`id`',
  '$(id)',
  '|id',
  "' OR 1=1 --",
  '%s%n',
  '__proto__',
  'constructor',
  'prototype',
  'toString',
  'hasOwnProperty',
  'null',
  'undefined',
  'true',
  'false',
  'None',
  'arn',
  'arn:',
  'arn:aws',
  'arn:aws:::::',
  'arn:aws:lambda:us-east-1:123456789012:function:',
  'arn:aws:lambda:us-east-1:123456789012:function:f:$LATEST',
  'arn:aws:lambda:us-east-1:999999999999:function:f',
  'arn:aws:sqs:us-east-1:123456789012:q',
  'arn:aws:sns:eu-west-1:123456789012:t',
  'arn:aws-cn:iam::123456789012:role/r',
  'arn:aws:s3:::bucket/key',
  '$LATEST',
  'f:1',
  'f:live',
  '123456789012:f',
  '123456789012',
  'http://127.0.0.1:1/',
  'https://sqs.us-east-1.amazonaws.com/123456789012/q',
  'file:///etc/passwd',
  'ldap://x',
  'AAAA',
  'AAA=',
  '=',
  '====',
  'e30=',
  '-_-_',
  'text/plain',
  'a/b; c="d',
  'bytes=0-0',
  'bytes=-1',
  'bytes=5-2',
  'bytes=0-99999999999999999999',
  'bytes=0-0,1-1',
  'bytes=',
  'Infinity',
  '١٢',
  '１２',
  '1,000',
  '0x10',
  '-',
  '_',
  'x-',
  'a.fifo',
  '.fifo',
  'xn--',
  'con',
  'aux.txt',
] as const;

/** Texts of JSON with meaning to some service. */
const DOCUMENTS = [
  '{}',
  '[]',
  '""',
  'null',
  '{',
  '{"a":1,"a":2}',
  '{"__proto__":{"x":1}}',
  '[1e400]',
  '{"a":"\\ud800"}',
  '{"a":[{"numeric":["<",1e400]}]}',
  '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"lambda.amazonaws.com"},"Action":"sts:AssumeRole"}]}',
  '{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}',
  '{"Version":2012,"Statement":[[]]}',
  '{"Statement":[{"Effect":{},"Action":{"a":1}}]}',
  '{"deadLetterTargetArn":"arn:aws:sqs:us-east-1:123456789012:dead","maxReceiveCount":3}',
  '{"deadLetterTargetArn":1,"maxReceiveCount":"1e3"}',
  '{"deadLetterTargetArn":"arn:aws:sqs:us-east-1:123456789012:q"}',
  '{"redrivePermission":"byQueue","sourceQueueArns":["x",1]}',
  '{"redrivePermission":"allowAll"}',
  '{"color":["red",{"prefix":"r"},{"anything-but":["x",1]},{"exists":true},{"numeric":[">=",-1e9,"<",5]}]}',
  '{"a":{"b":{"c":{"d":["x"]}}}}',
  '{"$or":[{"a":["x"]},{"b":["y"]}]}',
  '{"a":[{"wildcard":"*a*a*a*a*"}]}',
  '{"a":[{"cidr":"10.0.0.0/99"}]}',
  '{"a":[{"equals-ignore-case":1}]}',
  '{"a":[{"anything-but":{"wildcard":"**"}}]}',
  '{"default":"x","lambda":{"a":1}}',
  '{"body":{"a":["x"]}}',
  '{"statusCode":200,"body":"x"}',
  '{"statusCode":"abc"}',
  '{"healthyRetryPolicy":{"numRetries":1e9}}',
] as const;

/** Text that means something odd somewhere. */
export function oddText(random: Random): string {
  const roll = random.below(20);
  if (roll === 0) return random.pick(UNITS).repeat(random.pick([2, 10, 100, 1000]));
  if (roll === 1)
    return 'x'.repeat(random.pick([63, 64, 65, 80, 81, 127, 128, 129, 255, 256, 257, 1024, 2049, 8192, 70_000]));
  if (roll === 2) return `${random.pick(UNITS)}${random.pick(UNITS)}${random.pick(UNITS)}`;
  if (roll === 3)
    return random.bytes(random.below(40)).toString(random.pick(['latin1', 'utf8', 'utf16le', 'base64', 'hex']));
  if (roll <= 5) return random.pick(DOCUMENTS);
  if (roll === 6) return damagedText(random.pick(DOCUMENTS), random);
  if (roll === 7) return random.pick(NUMBERS);
  if (roll === 8) return random.pick(NOT_NUMBERS);
  if (roll === 9) return random.pick(DATES);
  return random.pick(UNITS);
}

/** Text with some characters replaced, removed or doubled. */
export function damagedText(text: string, random: Random): string {
  let damaged = text;
  for (let more = 1 + random.below(3); more > 0; more -= 1) {
    const at = random.below(damaged.length + 1);
    const middle = random.pick([() => '', () => random.pick(UNITS), () => damaged.slice(at, at + 5).repeat(2)])();
    damaged = damaged.slice(0, at) + middle + damaged.slice(at + random.below(4));
  }
  return damaged;
}

export const numberToken = (random: Random): Token => new Token(random.pick(NUMBERS));

/** A number as text, or something that only looks like one. */
export const numberText = (random: Random): string =>
  random.chance(0.8) ? random.pick(NUMBERS) : random.chance(0.5) ? random.pick(NOT_NUMBERS) : oddText(random);

/** Any JSON value, of any type, valid or not. */
export function oddValue(random: Random): unknown {
  const roll = random.below(12);
  if (roll < 4) return oddText(random);
  if (roll < 6) return numberToken(random);
  if (roll === 6) return new Token(random.pick(NOT_NUMBERS));
  if (roll === 7) return random.pick([true, false, null]);
  if (roll === 8) return [oddText(random), numberToken(random), null];
  if (roll === 9) return { [oddText(random)]: oddText(random), __proto__: null };
  if (roll === 10) return random.pick([[], {}, [[]], [{}], [null], [[[[[[]]]]]]]);
  const depth = random.pick([10, 500, 999, 1001, 5_000]);
  return new Token(
    random.chance(0.5) ? '['.repeat(depth) + ']'.repeat(depth) : `${'{"a":'.repeat(depth)}1${'}'.repeat(depth)}`,
  );
}

/** JSON, with tokens written as they are. */
export function writeJson(value: unknown): string {
  if (value instanceof Token) return value.text;
  if (Array.isArray(value)) return `[${value.map(writeJson).join(',')}]`;
  if (typeof value === 'object' && value !== null) {
    const members = Object.entries(value).filter(([, one]) => one !== undefined);
    return `{${members.map(([name, one]) => `${JSON.stringify(name)}:${writeJson(one)}`).join(',')}}`;
  }
  return JSON.stringify(value) ?? 'null';
}
