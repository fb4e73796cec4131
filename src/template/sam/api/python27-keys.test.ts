import { describe, expect, it } from 'vitest';
import { Python27Keys } from './python27-keys.ts';

function keysOf(...names: string[]): Python27Keys {
  const keys = new Python27Keys();
  for (const name of names) keys.add(name);
  return keys;
}

/** Orders are those that CPython 2.7.18 prints for `dict.keys()` after the same steps, also with its 64-bit hashes of Unicode. */
describe('Python27Keys', () => {
  it('has the order of the slots, not of the insertions', () => {
    const forward = keysOf('get', 'put', 'post', 'delete');
    const backward = keysOf('delete', 'post', 'put', 'get');
    expect(forward.keys()).toEqual(['put', 'post', 'delete', 'get']);
    expect(backward.keys()).toEqual(['put', 'post', 'get', 'delete']);
  });

  it('keeps the order of keys outside of ASCII', () => {
    expect(keysOf('ä', '日本', '😀', 'a').keys()).toEqual(['a', '日本', 'ä', '😀']);
  });

  it('grows by four when two thirds of the table are full', () => {
    const names = Array.from({ length: 24 }, (_, at) => `/path/${at}`);
    const order = [23, 22, 21, 20, 4, 5, 6, 7, 0, 1, 2, 3, 8, 9, 18, 19, 16, 17, 14, 15, 12, 13, 10, 11];
    expect(keysOf(...names).keys()).toEqual(order.map((at) => `/path/${at}`));
  });

  it('makes the table larger before it takes over the keys of another map', () => {
    const names = ['api_key', 'AWS_IAM', 'Authorization', 'name', 'type'];
    const merged = keysOf(...names);
    merged.merge(['in']);
    expect(keysOf(...names, 'in').keys()).toEqual(['name', 'AWS_IAM', 'in', 'api_key', 'type', 'Authorization']);
    expect(merged.keys()).toEqual(['AWS_IAM', 'in', 'api_key', 'type', 'Authorization', 'name']);
  });

  it('uses the place of a removed key again', () => {
    const keys = keysOf('get', 'put', 'post');
    keys.remove('put');
    keys.remove('absent');
    keys.add('patch');
    expect(keys.keys()).toEqual(['post', 'patch', 'get']);
    expect([keys.size, keys.has('put'), keys.has('patch')]).toEqual([3, false, true]);
  });

  it('takes the order of a copy, which may be another with every copy', () => {
    const orders = [0, 1, 2, 3].map((count) => {
      const keys = keysOf('get', 'put', 'post', 'delete');
      keys.deepCopy(count);
      return keys.keys();
    });
    const [even, odd] = [
      ['put', 'post', 'delete', 'get'],
      ['put', 'post', 'get', 'delete'],
    ];
    expect(orders).toEqual([even, odd, even, odd]);
  });

  it('takes the order of a thousand copies from the few that differ', () => {
    const keys = keysOf('get', 'put', 'post', 'delete');
    keys.deepCopy(1001);
    expect(keys.keys()).toEqual(['put', 'post', 'get', 'delete']);
  });

  it('merges into an empty table when it is copied at once', () => {
    const keys = keysOf('api_key', 'AWS_IAM', 'Authorization', 'name', 'type', 'in', 'x');
    expect(keys.keys()).toEqual(['name', 'AWS_IAM', 'in', 'x', 'api_key', 'type', 'Authorization']);
    expect(keys.copy().keys()).toEqual(['Authorization', 'name', 'in', 'x', 'api_key', 'type', 'AWS_IAM']);
  });
});
