import { describe, expect, it } from 'vitest';
import { InvalidFilterPattern, parseFilterPattern } from './filter-pattern.ts';

const matches = (pattern: string, message: string) => parseFilterPattern(pattern)(message);

describe('filter patterns', () => {
  it.each(['', '   ', '""', '" "'])('the empty pattern %j matches everything', (pattern) => {
    expect(matches(pattern, 'any text')).toBe(true);
  });

  it.each([
    ['ERROR', '[ERROR 400] BAD REQUEST\n', true],
    ['ERROR', '[error 400]', false],
    ['ERROR ARGUMENTS', '[ERROR 419] MISSING ARGUMENTS', true],
    ['ERROR ARGUMENTS', '[ERROR 401] UNAUTHORIZED', false],
    ['?ERROR ?ARGUMENTS', 'MISSING ARGUMENTS', true],
    ['?ERROR ?ARGUMENTS', '[WARN] nothing', false],
    ['"INTERNAL SERVER ERROR"', '[ERROR 500] INTERNAL SERVER ERROR', true],
    ['"INTERNAL ERROR"', '[ERROR 500] INTERNAL SERVER ERROR', false],
    ['ERROR -ARGUMENTS', '[ERROR 400] BAD REQUEST', true],
    ['ERROR -ARGUMENTS', '[ERROR 419] MISSING ARGUMENTS', false],
    ['-"exit status"', 'exit status 1', false],
    ['ERROR ?WARN', 'ERROR alone', true],
    ['"say \\"hi\\""', 'they say "hi" now', true],
    ['%AUTHORIZED%', '[ERROR 401] UNAUTHORIZED REQUEST', true],
    ['%4[0-9]{2}%', 'status 404', true],
    ['%^4[0-9]{2}%', 'status 404', false],
    ['-%time.*out% Task', 'Task timed out', false],
  ])('terms: %s on %j is %s', (pattern, message, expected) => {
    expect(matches(pattern, message)).toBe(expected);
  });

  const record = JSON.stringify({
    level: 'ERROR',
    status: 404,
    user: { id: 1, email: 'John.Doe@example.com', 'given name': 'John' },
    users: [{ name: 'a' }, { name: 'b' }],
    canceled: false,
    cause: null,
    latency: 12.5,
    path: '/api/v1/items',
  });

  it.each([
    ['{ $.level = "ERROR" }', true],
    ['{ $.level = ERROR }', true],
    ['{$.level="INFO"}', false],
    ['{ $.level != "INFO" }', true],
    ['{ $.missing != "INFO" }', false],
    ['{ $.level = "ERR*" }', true],
    ['{ $.path = "/api/*/items" }', true],
    ['{ $.path = %/v[0-9]+/% }', true],
    ['{ $.status = 404 }', true],
    ['{ $.status = 4.04e2 }', true],
    ['{ $.status >= 400 && $.status < 500 }', true],
    ['{ $.status > 404 }', false],
    ['{ $.latency <= 12.5 }', true],
    ['{ $.user.id = 1 && $.users[1].name = "b" }', true],
    ['{ $.users[0].name = "b" }', false],
    ['{ $.users[*].name = "b" }', true],
    ['{ $.user["given name"] = "John" }', true],
    ['{ $.canceled IS FALSE }', true],
    ['{ $.canceled IS TRUE }', false],
    ['{ $.cause IS NULL }', true],
    ['{ $.level IS NULL }', false],
    ['{ $.nothing NOT EXISTS }', true],
    ['{ $.level NOT EXISTS }', false],
    ['{ ($.level = "INFO" || $.status = 404) && $.user.id = 1 }', true],
    ['{ $.level = "INFO" && $.status = 404 || $.user.id = 1 }', true],
    ['{ ($.level = "INFO") || ($.user.id = 2) }', false],
  ])('JSON: %s is %s', (pattern, expected) => {
    expect(matches(pattern, `${record}\n`)).toBe(expected);
  });

  it('a JSON pattern never matches a message that is not JSON', () => {
    expect(matches('{ $.a NOT EXISTS }', 'plain { text }')).toBe(false);
    expect(matches('{ $.a NOT EXISTS }', '{ broken')).toBe(false);
  });

  const access = '127.0.0.1 Prod frank [10/Oct/2000:13:25:15 -0700] "GET /index.html HTTP/1.0" 404 1534';

  it.each([
    ['[ip, user, username, timestamp, request, status_code, bytes]', true],
    ['[ip, user, username, timestamp, request, status_code]', false],
    ['[ip, user, username, timestamp, request =*.html*, status_code = 4*, bytes]', true],
    ['[..., status_code = 404, bytes > 1000]', true],
    ['[..., status_code = 404, bytes > 2000]', false],
    ['[ip=%127\\.0\\.0\\.[0-9]+%, ...]', true],
    ['[ip, user != Prod, ...]', false],
    ['[..., status = 404 || status = 410, bytes]', true],
    ['[..., status != 404 && status != 410, bytes]', false],
  ])('fields: %s is %s', (pattern, expected) => {
    expect(matches(pattern, access)).toBe(expected);
  });

  it.each([
    ['user@example', "Invalid character(s) in term 'user@example'"],
    ['"open', undefined],
    ['{ $.a }', undefined],
    ['{ $.a = }', undefined],
    ['{ $.a = 1', undefined],
    ['{ a = 1 }', undefined],
    ['{ $.a = 1 && }', undefined],
    ['{ ($.a = 1 }', undefined],
    ['{ $.a > "x" }', undefined],
    ['[a, ..., ..., b]', undefined],
    ['[a, b', undefined],
    ['%(group)%', undefined],
    ['%[%', undefined],
    ['-', undefined],
  ])('rejects %s', (pattern, message) => {
    expect(() => parseFilterPattern(pattern)).toThrow(message ?? InvalidFilterPattern);
  });

  it.each([
    [`{ $.a = ${'a*'.repeat(200)}b }`, JSON.stringify({ a: 'a'.repeat(20_000) })],
    [`%${'a*'.repeat(200)}b%`, 'a'.repeat(20_000)],
    [`[field = %${'.*'.repeat(100)}b%]`, 'a'.repeat(20_000)],
  ])('takes linear time for wildcards and regular expressions that almost match: %.30s', (pattern, message) => {
    expect(matches(pattern, message)).toBe(false);
  });
});
