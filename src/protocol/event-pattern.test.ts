/** Examples from the documentation of EventBridge and Lambda, and edge cases. */
import { describe, expect, it } from 'vitest';
import { createEventPattern, InvalidPattern } from './event-pattern.ts';

describe('an event pattern', () => {
  it.each<[string, unknown, unknown, boolean]>([
    ['matches a value of a list', { a: ['x', 'y'] }, { a: 'y', b: 1 }, true],
    ['matches no other value', { a: ['x'] }, { a: 'z' }, false],
    ['distinguishes text from numbers', { a: [1] }, { a: '1' }, false],
    ['matches null', { a: [null] }, { a: null }, true],
    ['null does not match an absent value', { a: [null] }, {}, false],
    ['matches empty text', { a: [''] }, { a: '' }, true],
    ['matches one of a list of values', { a: ['x'] }, { a: ['w', 'x'] }, true],
    ['needs every key', { a: ['x'], b: ['y'] }, { a: 'x' }, false],
    ['matches inside objects', { a: { b: { c: [1] } } }, { a: { b: { c: 1 } } }, true],
    ['matches inside lists of objects', { a: { b: [1] } }, { a: [{ b: 2 }, { b: 1 }] }, true],
    ['prefix', { a: [{ prefix: 'us-' }] }, { a: 'us-east-1' }, true],
    ['suffix', { a: [{ suffix: '.png' }] }, { a: 'x.jpg' }, false],
    ['prefix of any case', { a: [{ prefix: { 'equals-ignore-case': 'ID' } }] }, { a: 'id-7' }, true],
    ['equals-ignore-case', { a: [{ 'equals-ignore-case': 'AliCe' }] }, { a: 'aLICE' }, true],
    ['anything-but', { a: [{ 'anything-but': ['x', 1] }] }, { a: 'y' }, true],
    ['anything-but excludes', { a: [{ 'anything-but': ['x', 1] }] }, { a: 1 }, false],
    ['anything-but needs a value', { a: [{ 'anything-but': 'x' }] }, {}, false],
    ['anything-but with a prefix', { a: [{ 'anything-but': { prefix: 'init' } }] }, { a: 'initial' }, false],
    ['numeric', { a: [{ numeric: ['>', 0, '<=', 5] }] }, { a: 5 }, true],
    ['numeric excludes', { a: [{ numeric: ['>', 0, '<=', 5] }] }, { a: 0 }, false],
    ['numeric matches only numbers', { a: [{ numeric: ['=', 5] }] }, { a: '5' }, false],
    ['exists', { a: [{ exists: true }] }, { a: null }, true],
    ['exists: false', { a: [{ exists: false }] }, { b: 1 }, true],
    ['exists: false excludes', { a: [{ exists: false }] }, { a: 1 }, false],
    ['exists: false in an absent object', { a: { b: [{ exists: false }] } }, {}, true],
    ['cidr', { a: [{ cidr: '10.0.0.0/24' }] }, { a: '10.0.0.255' }, true],
    ['cidr excludes', { a: [{ cidr: '10.0.0.0/24' }] }, { a: '10.0.1.0' }, false],
    ['cidr of IPv6', { a: [{ cidr: '2001:db8:1234:1a00::/64' }] }, { a: '2001:0db8:1234:1a00:0:0:0:1' }, true],
    ['cidr of IPv6 excludes', { a: [{ cidr: '2001:db8:1234:1a00::/64' }] }, { a: '2001:db8:123f:1a01::' }, false],
    ['cidr distinguishes IPv4 from IPv6', { a: [{ cidr: '0.0.0.0/0' }] }, { a: '::1' }, false],
    ['a name with a dot can be a path', { 'a.b': [1] }, { a: { b: 1 } }, true],
    ['a name with a dot can be a member name', { 'a.b': [1] }, { 'a.b': 1 }, true],
    ['a name with a dot whose first part is not an object', { 'a.b': [1] }, { a: 1 }, false],
    ['matches inside nested lists', { a: { b: [1] } }, { a: [[{ b: 1 }]] }, true],
    ['wildcard', { a: [{ wildcard: 'dir/*.c?at' }] }, { a: 'dir/x/y.c?at' }, true],
    ['wildcard with an escaped star', { a: [{ wildcard: 'a\\*b' }] }, { a: 'axb' }, false],
    ['$or', { $or: [{ a: [1] }, { b: [2] }] }, { b: 2 }, true],
    ['$or needs one', { c: [3], $or: [{ a: [1] }, { b: [2] }] }, { c: 3 }, false],
    ['alternatives of different types', { a: [{ prefix: 'x' }, 5] }, { a: 5 }, true],
  ])('%s', (_, pattern, document, expected) => {
    expect(createEventPattern(pattern).matches(document)).toBe(expected);
  });

  it.each([
    [1],
    [{ a: 'x' }],
    [{ a: [] }],
    [{ a: [[1]] }],
    [{ a: [{ cidr: '2001:db8::/129' }] }],
    [{ a: [{ cidr: '1::2::3/64' }] }],
    [{ a: [{ cidr: '10.0.0/8' }] }],
    [{ a: [{ unknown: 1 }] }],
    [{ a: [{ prefix: 1 }] }],
    [{ a: [{ numeric: ['~', 1] }] }],
    [{ a: [{ cidr: '300.0.0.0/8' }] }],
    [{ a: [{ prefix: 'a', suffix: 'b' }] }],
    [{ $or: [{ a: [1] }] }],
  ])('rejects %j', (pattern) => {
    expect(() => createEventPattern(pattern)).toThrow(InvalidPattern);
  });

  it.each([
    [{}, 'Empty objects are not allowed'],
    [{ a: {} }, 'Empty objects are not allowed'],
    [{ a: { b: 'x' } }, '"b" must be an object or an array'],
    [{ a: [{}] }, 'Empty objects are not allowed'],
    [{ a: [{ numeric: 5 }] }, 'Value of numeric must be an array.'],
    [{ a: [{ numeric: [] }] }, 'Invalid member in numeric match: ]'],
    [{ a: [{ numeric: [5, 6] }] }, 'Invalid member in numeric match: 5'],
    [{ a: [{ numeric: ['<>', 1] }] }, 'Unrecognized numeric range operator: <>'],
    [{ a: [{ numeric: ['=', '1'] }] }, 'Value of equals must be numeric'],
    [{ a: [{ numeric: ['<', 100, '>', 10] }] }, 'Too many elements in numeric expression'],
    [{ a: [{ numeric: ['=', 1, '<', 10] }] }, 'Too many elements in numeric expression'],
    [{ a: [{ numeric: ['>', 1, 5] }] }, 'Bad value in numeric range: 5'],
    [{ a: [{ numeric: ['>', 1, '>', 5] }] }, 'Bad numeric range operator: >'],
    [{ a: [{ numeric: ['>', 10, '<', 10] }] }, 'Bottom must be less than top'],
    [{ a: [{ numeric: ['>', 1, '<', 5, '<'] }] }, 'Too many terms in numeric range expression'],
    [{ a: [{ exists: 'yes' }] }, 'exists match pattern must be either true or false.'],
    [{ a: [{ suffix: 1 }] }, 'suffix match pattern must be a string'],
    [{ a: [{ wildcard: 'a**b' }] }, 'Consecutive wildcard characters at pos 1'],
    [{ a: [{ wildcard: 'a\\b' }] }, 'Invalid escape character at pos 2'],
    [{ a: [{ 'anything-but': true }] }, 'Value of anything-but must be an array or single string/number value.'],
    [{ a: [{ 'anything-but': [] }] }, 'Empty arrays are not allowed'],
    [{ a: [{ 'anything-but': [null] }] }, 'Inside anything but list, start|null|boolean is not supported.'],
    [{ a: [{ 'anything-but': { numeric: ['=', 1] } }] }, 'Unsupported anything-but pattern: numeric'],
    [{ a: [{ unknown: 1 }] }, 'Unrecognized match type unknown'],
  ])("names what is wrong with %j in AWS's words", (pattern, message) => {
    expect(() => createEventPattern(pattern)).toThrow(message);
  });

  it('takes ranges, and excludes texts and numbers', () => {
    const range = createEventPattern({ a: [{ numeric: ['>', 0, '<=', 5] }] });
    expect([0, 0.1, 5, 5.1, '3'].map((a) => range.matches({ a }))).toEqual([false, true, true, false, false]);
    const excluding = createEventPattern({ a: [{ 'anything-but': ['x', 'y'] }] });
    expect(['x', 'z'].map((a) => excluding.matches({ a }))).toEqual([false, true]);
  });

  it('takes linear time for wildcards that almost match', () => {
    const pattern = createEventPattern({ a: [{ wildcard: '*a*a*a*a*a*a*a*a*b' }] });
    expect(pattern.matches({ a: 'a'.repeat(100_000) })).toBe(false);
  });
});
