import { describe, expect, it } from 'vitest';
import { splitTarget } from './request-target.ts';

describe('splitTarget', () => {
  it.each([
    [undefined, '/', ''],
    ['/', '/', ''],
    ['//', '//', ''],
    ['//evil.example/x?a=b?c', '//evil.example/x', '?a=b?c'],
    ['///?x', '///', '?x'],
    ['http://localhost:3001', '/', ''],
    ['http://localhost:3001/a?b', '/a', '?b'],
    ['/a%zz%00\\..', '/a%zz%00\\..', ''],
    ['/:80', '/:80', ''],
    ['*', '*', ''],
    ['?', '/', '?'],
  ])('splits %j', (target, path, search) => {
    expect(splitTarget(target)).toEqual({ path, search });
  });
});
