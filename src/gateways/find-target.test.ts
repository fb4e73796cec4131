/** Finding the gateway of a host and a path. */
import { describe, expect, it } from 'vitest';
import { findTarget } from './find-target.ts';
import { parseGatewayConfig } from './gateway-config.ts';

const api = (name: string, more: object = {}) =>
  parseGatewayConfig(name, { kind: 'http-api', routes: ['$default -> web'], ...more });
const GATEWAYS = [
  api('hosted', { hosts: ['api.example.com'] }),
  api('root'),
  api('v1', { basePath: '/v1' }),
  api('v1-admin', { basePath: '/v1/admin' }),
  parseGatewayConfig('balancer', { kind: 'load-balancer', hosts: ['lb.example.com'], routes: ['* -> web'] }),
  parseGatewayConfig('rest', { kind: 'rest-api', hosts: ['rest.example.com'], stage: 'dev', routes: ['GET / -> web'] }),
];
const named = (host: string, path: string) => {
  const target = findTarget(host, path, GATEWAYS);
  return target.kind === 'gateways'
    ? target.candidates.map(({ config, address }) => [config.name, address.prefix, address.via])
    : target;
};
const ID = 'abcdefghijklmnopqrstuvwxyz234567';

describe('a function URL', () => {
  it('is found by its host', () => {
    expect(named(`${ID}.lambda-url.eu-west-1.localhost`, '/a/b')).toEqual({
      kind: 'function-url',
      id: ID,
      region: 'eu-west-1',
      path: '/a/b',
    });
  });

  it.each([
    [`/_lamella/url/${ID}/a/b`, '/a/b'],
    [`/_lamella/url/${ID}/`, '/'],
    [`/_lamella/url/${ID}`, '/'],
    [`/_lamella/url/${ID}//a`, '//a'],
  ])('is found by the path %s on any host', (path, inside) => {
    expect(named('127.0.0.1', path)).toEqual({ kind: 'function-url', id: ID, region: undefined, path: inside });
  });
});

describe('a gateway', () => {
  it.each([
    ['127.0.0.1', '/', [['root', '', 'custom-domain']]],
    [
      '127.0.0.1',
      '/v1/admin/x',
      [
        ['v1-admin', '/v1/admin', 'custom-domain'],
        ['v1', '/v1', 'custom-domain'],
        ['root', '', 'custom-domain'],
      ],
    ],
    ['127.0.0.1', '/v1x', [['root', '', 'custom-domain']]],
    [
      'api.example.com',
      '/x',
      [
        ['hosted', '', 'custom-domain'],
        ['root', '', 'custom-domain'],
      ],
    ],
    ['rest.execute-api.us-east-1.localhost', '/dev/x', [['rest', '/dev', 'own-address']]],
    ['v1.execute-api.us-east-1.localhost', '/x', [['v1', '', 'own-address']]],
    ['balancer.us-east-1.elb.localhost', '/x', [['balancer', '', 'own-address']]],
    ['127.0.0.1', '/_lamella/gateway/rest/x', [['rest', '', 'custom-domain']]],
  ])('is found by %s%s', (host, path, expected) => {
    expect(named(host, path)).toEqual(expected);
  });

  it('that does not exist is reported by name', () => {
    expect(named('other.execute-api.us-east-1.localhost', '/')).toEqual({ kind: 'nothing', named: 'other' });
    expect(findTarget('127.0.0.1', '/', [])).toEqual({ kind: 'nothing', named: undefined });
  });
});
