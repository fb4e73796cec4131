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

  it('takes linear time for wildcards that almost match', () => {
    const pattern = createEventPattern({ a: [{ wildcard: '*a*a*a*a*a*a*a*a*b' }] });
    expect(pattern.matches({ a: 'a'.repeat(100_000) })).toBe(false);
  });
});
