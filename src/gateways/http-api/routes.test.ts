/** Routes and their precedence. Source: AWS's documentation and, for REST APIs, recordings by LocalStack's test suite. */
import { describe, expect, it } from 'vitest';
import {
  matchesHostPattern,
  matchesPathPattern,
  matchHttpRoute,
  matchResource,
  parseRoute,
  type Route,
} from './routes.ts';

const routes = (...keys: string[]) => keys.map((key) => parseRoute(key) as Route);

describe('a route', () => {
  it.each([
    ['GET /pets/{id}', 'GET /pets/{id}'],
    ['  get   /pets ', 'GET /pets'],
    ['ANY /{proxy+}', 'ANY /{proxy+}'],
    ['$default', '$default'],
    ['GET /', 'GET /'],
  ])('can be written %s', (text, key) => {
    expect(parseRoute(text)).toMatchObject({ key });
  });

  it.each([
    ['/pets', /a method and a path/],
    ['GET pets', /a method and a path/],
    ['FETCH /pets', /has the method "FETCH"/],
    ['GET /pets/x{id}', /a whole segment/],
    ['GET /{a}/{a}', /has the variable {a} twice/],
    ['GET /{all+}/x', /must have its greedy variable at the end/],
    ['GET /{}', /a whole segment/],
  ])('cannot be written %s', (text, reason) => {
    expect(parseRoute(text)).toMatch(reason);
  });
});

describe('the route of an HTTP API', () => {
  const API = routes(
    '$default',
    'ANY /{proxy+}',
    'GET /pets/{proxy+}',
    'GET /pets/{id}',
    'GET /pets/dog/1',
    'GET /pets/dog/{id}',
    'ANY /pets/cat',
    'GET /pets/cat',
    'POST /shops/{shop}/items/{item}',
  );
  it.each([
    ['GET', '/pets/dog/1', 'GET /pets/dog/1', {}],
    ['GET', '/pets/dog/2', 'GET /pets/dog/{id}', { id: '2' }],
    ['GET', '/pets/cat', 'GET /pets/cat', {}],
    ['PUT', '/pets/cat', 'ANY /pets/cat', {}],
    ['GET', '/pets/cat/1', 'GET /pets/{proxy+}', { proxy: 'cat/1' }],
    ['GET', '/pets/5', 'GET /pets/{id}', { id: '5' }],
    ['POST', '/pets/5', 'ANY /{proxy+}', { proxy: 'pets/5' }],
    ['GET', '/pets/5/', 'GET /pets/{proxy+}', { proxy: '5/' }],
    ['GET', '/pets/', 'ANY /{proxy+}', { proxy: 'pets/' }],
    ['GET', '/', '$default', {}],
    ['POST', '/shops/ö/items/1', 'POST /shops/{shop}/items/{item}', { shop: 'ö', item: '1' }],
    ['GET', '/Pets/5', 'ANY /{proxy+}', { proxy: 'Pets/5' }],
    ['HEAD', '/pets/dog/1', 'ANY /{proxy+}', { proxy: 'pets/dog/1' }],
  ])('of %s %s is %s', (method, path, key, parameters) => {
    const match = matchHttpRoute(API, method, path);
    expect([match?.route.key, Object.fromEntries(match?.parameters ?? [])]).toEqual([key, parameters]);
  });

  it('is undefined where none matches', () => {
    const api = routes('GET /a', 'GET /b/{id}', 'GET /c/{all+}');
    for (const path of ['/', '/a/', '/b', '/b/', '/b/1/2', '/c', '/c/']) {
      expect(matchHttpRoute(api, 'GET', path), path).toBeUndefined();
    }
  });
});

describe('the resource of a REST API', () => {
  const API = routes(
    'GET /',
    'ANY /{proxy+}',
    'GET /users/{id}',
    'GET /users/me',
    'DELETE /users/{id}',
    'GET /users/{id}/files/{file+}',
    'GET /caf\u00e9',
  );
  it.each([
    ['GET', '/', '/', 'GET /', {}],
    ['GET', '/users/me', '/users/me', 'GET /users/me', {}],
    ['GET', '/users/7', '/users/{id}', 'GET /users/{id}', { id: '7' }],
    ['GET', '/users/a%2Fb', '/users/{id}', 'GET /users/{id}', { id: 'a%2Fb' }],
    ['DELETE', '/users/7', '/users/{id}', 'DELETE /users/{id}', { id: '7' }],
    ['PUT', '/users/7', '/users/{id}', undefined, { id: '7' }],
    ['DELETE', '/users/me', '/users/me', undefined, {}],
    [
      'GET',
      '/users/7/files/a/b/',
      '/users/{id}/files/{file+}',
      'GET /users/{id}/files/{file+}',
      { id: '7', file: 'a/b' },
    ],
    ['GET', '/users/7/other', '/{proxy+}', 'ANY /{proxy+}', { proxy: 'users/7/other' }],
    ['GET', '/x/y//z', '/{proxy+}', 'ANY /{proxy+}', { proxy: 'x/y//z' }],
    ['GET', '//x', '/{proxy+}', 'ANY /{proxy+}', { proxy: 'x' }],
    ['GET', '/users/7/', '/users/{id}', 'GET /users/{id}', { id: '7' }],
    ['GET', '/caf%C3%A9', '/caf\u00e9', 'GET /caf\u00e9', {}],
  ])('for %s %s is %s', (method, path, resourcePath, key, parameters) => {
    const match = matchResource(API, method, path);
    expect([match?.resourcePath, match?.route?.key, Object.fromEntries(match?.parameters ?? [])]).toEqual([
      resourcePath,
      key,
      parameters,
    ]);
  });

  it('is undefined where none matches', () => {
    expect(matchResource(routes('GET /a'), 'GET', '/b')).toBeUndefined();
    expect(matchResource(routes('GET /a/{all+}'), 'GET', '/a')).toBeUndefined();
  });
});

describe('a rule of a load balancer', () => {
  it.each([
    ['/img/*', '/img/a/b.png', true],
    ['/img/*', '/img', false],
    ['/api/v?/*', '/api/v1/x', true],
    ['/api/v?/*', '/api/v12/x', false],
    ['*', '/anything', true],
    ['/a.b', '/axb', false],
    ['/A', '/a', false],
  ])('with the path %s and the request %s', (pattern, path, fits) => {
    expect(matchesPathPattern(pattern, path)).toBe(fits);
  });

  it('matches hosts in any case', () => {
    expect(matchesHostPattern('*.Example.com', 'www.example.com')).toBe(true);
    expect(matchesHostPattern('*.example.com', 'example.com')).toBe(false);
  });

  it('takes linear time for paths that almost fit', () => {
    expect(matchesPathPattern('/*/*/*/*/*/*/end', '/'.repeat(14_000))).toBe(false);
  });
});
