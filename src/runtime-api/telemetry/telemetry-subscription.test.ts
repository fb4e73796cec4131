import { describe, expect, it } from 'vitest';
import { parseSubscription } from './telemetry-subscription.ts';

const body = {
  schemaVersion: '2022-12-13',
  types: ['platform', 'function', 'extension'],
  buffering: { maxItems: 1000, maxBytes: 262_144, timeoutMs: 100 },
  destination: { protocol: 'HTTP', URI: 'http://sandbox.localdomain:8080/path?a=b' },
};

function problemOf(change: Record<string, unknown>, api: 'Telemetry' | 'Logs' = 'Telemetry') {
  const parsed = parseSubscription(api, JSON.stringify({ ...body, ...change }), 9001);
  if (!('problem' in parsed)) throw new Error('the subscription was accepted');
  return parsed.problem;
}

describe('a telemetry subscription', () => {
  it('is parsed with all its fields', () => {
    expect(parseSubscription('Telemetry', JSON.stringify(body), 9001)).toEqual({
      api: 'Telemetry',
      schemaVersion: '2022-12-13',
      types: ['platform', 'function', 'extension'],
      buffering: { maxItems: 1000, maxBytes: 262_144, timeoutMs: 100 },
      destination: {
        protocol: 'HTTP',
        method: 'POST',
        authority: 'sandbox.localdomain:8080',
        port: 8080,
        path: '/path',
        query: '?a=b',
      },
    });
  });

  it('defaults to 10000 items, 262144 bytes and 1000 ms', () => {
    const { buffering: _, ...plain } = body;
    expect(parseSubscription('Telemetry', JSON.stringify(plain), 9001)).toMatchObject({
      buffering: { maxItems: 10_000, maxBytes: 262_144, timeoutMs: 1000 },
    });
    expect(
      parseSubscription('Telemetry', JSON.stringify({ ...body, buffering: { timeoutMs: 25 } }), 9001),
    ).toMatchObject({ buffering: { maxItems: 10_000, maxBytes: 262_144, timeoutMs: 25 } });
  });

  it('is rejected with all problems, joined as on AWS', () => {
    expect(problemOf({ types: [], destination: { protocol: 'HTTP', URI: 'http://sandbox.localdomain' } })).toEqual({
      errorType: 'ValidationError',
      errorMessage: 'URI port is not provided; types should not be empty',
    });
  });

  it('to the Logs API is rejected with another error name', () => {
    expect(problemOf({ schemaVersion: '2020-08-15', types: [] }, 'Logs')).toEqual({
      errorType: 'Logs.ValidationError',
      errorMessage: 'types should not be empty',
    });
  });

  it.each([
    [{ types: ['platform.runtimeDone'] }, 'Unrecognized enum variant'],
    [{ types: ['function', 'function'] }, 'types should be unique'],
    [{ types: 'function' }, 'types should be an array'],
    [{ types: undefined }, 'missing field `types`'],
    [{ buffering: { maxItems: 999 } }, 'maxItems should be between 1000 and 10000'],
    [{ buffering: { maxItems: 10_001 } }, 'maxItems should be between 1000 and 10000'],
    [{ buffering: { maxBytes: 262_143 } }, 'maxBytes should be between 262144 and 1048576'],
    [{ buffering: { timeoutMs: 24 } }, 'timeoutMs should be between 25 and 30000'],
    [{ buffering: { timeoutMs: '100' } }, 'timeoutMs should be between 25 and 30000'],
    [{ buffering: [] }, 'buffering should be an object'],
    [{ destination: undefined }, 'missing field `destination`'],
    [{ destination: { protocol: 'UDP', port: 1 } }, 'unknown variant `UDP`, expected `HTTP` or `TCP`'],
    [{ destination: { protocol: 'TCP' } }, 'port is not provided'],
    [{ destination: { protocol: 'TCP', port: 0 } }, 'port should be between 1 and 65535'],
    [{ destination: { protocol: 'TCP', port: 9001 } }, 'port 9001 is reserved'],
    [{ destination: { protocol: 'HTTP' } }, 'URI is not provided'],
    [{ schemaVersion: '2020-08-15' }, 'TelemetryAPI only supports the SchemaVersion released after 2021-03-18'],
    [{ schemaVersion: undefined }, 'TelemetryAPI only supports the SchemaVersion released after 2021-03-18'],
  ])('%j is rejected: %s', (change, errorMessage) => {
    expect(problemOf(change)).toEqual({ errorType: 'ValidationError', errorMessage });
  });

  it.each([
    'http://example.com:80/',
    'http://127.0.0.1:8080/',
    'http://localhost:8080/',
    'http://sandbox.localdomain.example.com:8080/',
    'http://sandbox.localdomain:8080@example.com/',
    'http://example.com:8080@sandbox.localdomain:8080/',
    'http://sandbox.localdomain\\@example.com:80/',
    'https://sandbox.localdomain:8080/',
    'file:///etc/passwd',
    'http://sandbox.localdomain:9001/',
    'http://sandbox.localdomain:70000/',
    'http://sandbox.localdomain:/',
    '//sandbox.localdomain:8080/',
    'nonsense',
  ])('rejects %s as its destination', (uri) => {
    const { errorType } = problemOf({ destination: { protocol: 'HTTP', URI: uri } });
    expect(errorType).toBe('ValidationError');
  });

  it('may use the hosts sandbox and sandbox.localdomain, also with port 80', () => {
    for (const host of ['sandbox', 'sandbox.localdomain', 'Sandbox.LocalDomain']) {
      const destination = { protocol: 'HTTP', URI: `http://${host}:80` };
      expect(parseSubscription('Telemetry', JSON.stringify({ ...body, destination }), 9001)).toMatchObject({
        destination: { port: 80, path: '/', query: '' },
      });
    }
  });

  it("rejects the port of the environment's own API", () => {
    const destination = { protocol: 'TCP', port: 4321 };
    expect(parseSubscription('Telemetry', JSON.stringify({ ...body, destination }), 4321)).toMatchObject({
      problem: { errorMessage: 'port 4321 is reserved' },
    });
  });

  it('cannot be decoded when it is not JSON or has an unknown field', () => {
    expect(parseSubscription('Telemetry', '{', 9001)).toMatchObject({
      problem: { errorType: 'Telemetry.DeserializationError' },
    });
    expect(problemOf({ extensionName: 'x' })).toEqual({
      errorType: 'Telemetry.DeserializationError',
      errorMessage:
        'unknown field `extensionName`, expected one of `schemaVersion`, `types`, `buffering`, `destination`',
    });
  });

  it('is refused when a member is nested deep or cannot be a string', () => {
    const deep = `${'['.repeat(100_000)}${']'.repeat(100_000)}`;
    for (const value of [deep, '{"toString":1}', '{"__proto__":null}', 'null', '1e999']) {
      for (const member of ['schemaVersion', 'types', 'buffering', 'destination']) {
        expect(parseSubscription('Telemetry', `{"${member}":${value}}`, 9001)).toHaveProperty('problem');
      }
      for (const member of ['protocol', 'URI', 'method', 'port']) {
        const text = JSON.stringify({ ...body, destination: {} });
        const destination = `"destination":{"protocol":"HTTP","URI":"http://sandbox:80","${member}":${value}}`;
        const parsed = parseSubscription('Telemetry', text.replace('"destination":{}', destination), 9001);
        expect('problem' in parsed).toBe(member !== 'port');
      }
    }
  });

  it('to the Logs API defaults to the oldest schema, and may request PUT', () => {
    const { schemaVersion: _, ...plain } = body;
    const destination = { ...body.destination, method: 'PUT' };
    expect(parseSubscription('Logs', JSON.stringify({ ...plain, destination }), 9001)).toMatchObject({
      schemaVersion: '2020-08-15',
      destination: { method: 'PUT' },
    });
    expect(problemOf({}, 'Logs').errorMessage).toBe(
      'LogsAPI only supports the following SchemaVersion: 2020-08-15, 2021-03-18',
    );
  });
});
