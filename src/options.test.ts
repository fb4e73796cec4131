import { homedir } from 'node:os';
import { describe, expect, it } from 'vitest';
import { OperatorError } from './operator-error.ts';
import { resolveBuildOptions, resolveClientOptions, resolveOptions } from './options.ts';

describe('options', () => {
  it('have defaults', () => {
    expect(resolveOptions({}, { HOME: '/home/u' })).toEqual({
      port: 3001,
      httpPort: undefined,
      routes: [],
      host: '127.0.0.1',
      allowHost: [],
      dataDir: '/home/u/.local/share/lamella',
      hotReloadDirs: [],
      ephemeral: false,
      region: 'us-east-1',
      accountId: '123456789012',
      readyFile: undefined,
      json: false,
      quiet: false,
      detach: false,
      strict: [],
      idleSeconds: 600,
      accountConcurrency: 1000,
      enforceAuth: false,
      accessKeys: new Map(),
      cpu: 'limited',
      debug: [],
      xdebug: undefined,
      stateDelay: 0,
      asyncRetrySeconds: [60, 120],
      asyncConcurrency: 10,
      sqsEndpoint: undefined,
      dynamodbEndpoint: undefined,
      awsAccessKeyId: 'lamella',
      awsSecretAccessKey: 'lamella',
      awsSessionToken: undefined,
      logLevel: 'warn',
      network: 'shared',
      unsupported: 'record',
    });
  });

  it('prefer a flag over a variable, and a variable over the default', () => {
    expect(resolveOptions({ port: '4000' }, { LAMELLA_PORT: '5000' }).port).toBe(4000);
    expect(resolveOptions({}, { LAMELLA_PORT: '5000' }).port).toBe(5000);
    expect(resolveOptions({}, { AWS_DEFAULT_REGION: 'eu-west-1', AWS_REGION: 'eu-central-1' }).region).toBe(
      'eu-central-1',
    );
  });

  it('accept two kinds of network', () => {
    expect(resolveOptions({ network: 'isolated' }, {}).network).toBe('isolated');
    expect(() => resolveOptions({ network: 'host' }, {})).toThrow('--network must be shared or isolated, not "host".');
  });

  it('accept a list of seconds', () => {
    expect(resolveOptions({ asyncRetrySeconds: '0, 1.5' }, {}).asyncRetrySeconds).toEqual([0, 1.5]);
    for (const asyncRetrySeconds of ['', 'soon', '1,-2']) {
      expect(() => resolveOptions({ asyncRetrySeconds }, {})).toThrow(
        'must be numbers of seconds, separated by commas',
      );
    }
  });

  it('accept typed values from a caller of the library', () => {
    expect(resolveOptions({ port: 0, ephemeral: true, allowHost: ['a', 'b'] }, {})).toMatchObject({
      port: 0,
      ephemeral: true,
      allowHost: ['a', 'b'],
    });
  });

  it('ignore empty variables', () => {
    expect(resolveOptions({}, { LAMELLA_PORT: '', AWS_REGION: '', AWS_DEFAULT_REGION: 'eu-west-1' })).toMatchObject({
      port: 3001,
      region: 'eu-west-1',
    });
  });

  it('accept lists as repeated flags and separated by commas', () => {
    expect(resolveOptions({ allowHost: ['a.test', 'b.test,c.test'] }, {}).allowHost).toEqual([
      'a.test',
      'b.test',
      'c.test',
    ]);
    expect(resolveOptions({}, { LAMELLA_ALLOW_HOST: ' a.test , b.test ' }).allowHost).toEqual(['a.test', 'b.test']);
  });

  it.each([
    [true, ['roles', 'runtimes', 'policies', 'resources']],
    ['runtimes', ['runtimes']],
    [
      ['runtimes', 'roles'],
      ['roles', 'runtimes'],
    ],
    ['roles,runtimes', ['roles', 'runtimes']],
    [false, []],
  ])('understand --strict given as %j', (given, strict) => {
    expect(resolveOptions({ strict: given }, {}).strict).toEqual(strict);
  });

  it('use the XDG base directories, and ignore relative ones', () => {
    expect(resolveOptions({}, { XDG_DATA_HOME: '/data', HOME: '/home/u' }).dataDir).toBe('/data/lamella');
    expect(resolveOptions({}, { XDG_DATA_HOME: 'data', HOME: '/home/u' }).dataDir).toBe('/home/u/.local/share/lamella');
    expect(resolveOptions({}, {}).dataDir).toBe(`${homedir()}/.local/share/lamella`);
    expect(resolveBuildOptions({}, 'layer build', { XDG_CACHE_HOME: '/cache' }).cacheDir).toBe('/cache/lamella');
  });

  it.each([
    [{ port: '65536' }, {}, '--port must be a port number from 0 to 65535, not "65536".'],
    [{ port: '12x' }, {}, '--port must be a port number from 0 to 65535, not "12x".'],
    [{ port: '-1' }, {}, '--port must be a port number from 0 to 65535, not "-1".'],
    [{}, { LAMELLA_PORT: 'x' }, 'The environment variable LAMELLA_PORT must be a port number'],
    [{ accountId: '12' }, {}, '--account-id must be twelve digits, not "12".'],
    [{ region: 'Frankfurt' }, {}, '--region must be a region such as eu-central-1, not "Frankfurt".'],
    [{ strict: 'rolls' }, {}, '--strict must be one of roles, runtimes, policies, resources, not "rolls".'],
    [{ idleSeconds: '0' }, {}, '--idle-seconds must be a whole number of at least 1, not "0".'],
    [{ accessKeys: 'AKIDwithoutsecret' }, {}, '--access-key must be ACCESS_KEY_ID:SECRET.'],
    [{ logLevel: 'loud' }, {}, '--log-level must be one of debug, info, warn, error, silent, not "loud".'],
    [{}, { LAMELLA_EPHEMERAL: 'maybe' }, 'The environment variable LAMELLA_EPHEMERAL must be true or false'],
    [{ host: '' }, {}, '--host must not be empty.'],
  ])('reject %j with %j, and name the flag or variable', (given, environment, text) => {
    const attempt = () => resolveOptions(given, environment);
    expect(attempt).toThrow(OperatorError);
    expect(attempt).toThrow(text);
  });

  it('reject an endpoint that is not a URL, and remove the slash at its end', () => {
    expect(resolveClientOptions({ endpointUrl: 'http://a:1/' }, 'invoke', {}).endpointUrl).toBe('http://a:1');
    expect(() => resolveClientOptions({ endpointUrl: 'a:1' }, 'invoke', {})).toThrow('--endpoint-url must be a URL');
  });

  it('are frozen', () => {
    expect(Object.isFrozen(resolveOptions({}, {}))).toBe(true);
  });

  it('accept routes as repeated flags, and one per line in the variable', () => {
    expect(resolveOptions({ routes: ['GET /a,b -> one', ' $default -> two '] }, {}).routes).toEqual([
      'GET /a,b -> one',
      '$default -> two',
    ]);
    expect(resolveOptions({}, { LAMELLA_ROUTES: 'GET / -> one\n\nPOST / -> two' }).routes).toEqual([
      'GET / -> one',
      'POST / -> two',
    ]);
  });

  it('leave the port of the HTTP gateways undefined unless it is given', () => {
    expect(resolveOptions({}, {}).httpPort).toBeUndefined();
    expect(resolveOptions({ httpPort: '0' }, {}).httpPort).toBe(0);
    expect(() => resolveOptions({ httpPort: '70000' }, {})).toThrow(/--http-port must be a port number/);
  });
});
