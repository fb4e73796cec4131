/**
 * JWT authorizers of HTTP APIs: tokens that are signed here, keys from a file, a key set and an issuer on this machine.
 * The descriptions of errors that AWS sends are recorded for the audience (its documentation), the number of segments, and
 * keys that cannot be fetched; the others are ours in its style.
 */
import { execFileSync } from 'node:child_process';
import { createHmac, generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type RunningService, startService } from '../support/running-service.ts';

type Keys = { readonly privateKey: KeyObject; readonly publicKey: KeyObject };
const rsa = (): Keys => generateKeyPairSync('rsa', { modulusLength: 2048 });
const first = rsa();
const second = rsa();
const elliptic = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const jwk = (keys: Keys, kid: string) => ({ ...keys.publicKey.export({ format: 'jwk' }), kid, use: 'sig' });

const nowSeconds = Math.trunc(Date.now() / 1000);
const encode = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');

/** A token for the API, unless `claims` or `header` say otherwise. */
function token(claims: object = {}, header: object = {}, privateKey = first.privateKey): string {
  const payload = { iss: issuer, aud: 'shop', sub: 'me', exp: nowSeconds + 3600, ...claims };
  const head = { alg: 'RS256', kid: 'one', ...header };
  const text = `${encode(head)}.${encode(payload)}`;
  return `${text}.${sign(`sha${head.alg.slice(2)}`, Buffer.from(text), privateKey).toString('base64url')}`;
}

let service: RunningService;
let server: Server;
let issuer: string;
let directory: string;
/** What the issuer publishes, and what it was asked for. */
let published: object = {};
let discovery: object | undefined;
const asked: string[] = [];

beforeAll(async () => {
  service = await startService({ logLevel: 'silent' });
  await service.createFunction(
    'echo',
    {
      'index.mjs':
        'export const handler = async (event) => ({ statusCode: 200, body: JSON.stringify(event.requestContext) });',
    },
    { Runtime: 'nodejs20.x', Handler: 'index.handler', MemorySize: 512 },
  );
  server = createServer((request, response) => {
    asked.push(request.url ?? '');
    const document = request.url?.endsWith('/openid-configuration') ? discovery : published;
    response.writeHead(document === undefined ? 503 : 200).end(JSON.stringify(document ?? {}));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}/realm/`;
  directory = mkdtempSync(join(tmpdir(), 'lamella-jwks-'));
  writeFileSync(join(directory, 'jwks.json'), JSON.stringify({ keys: [jwk(first, 'one'), jwk(elliptic, 'curve')] }));
  execFileSync('mkfifo', [join(directory, 'pipe')]);
  const jwtConfiguration = { issuer, audience: ['shop', 'web'] };
  service.lamella.http.put('http', {
    kind: 'http-api',
    cors: { allowOrigins: ['https://app.example'] },
    authorizers: {
      file: { type: 'jwt', jwtConfiguration, jwksUri: join(directory, 'jwks.json') },
      query: {
        type: 'jwt',
        jwtConfiguration,
        jwksUri: `file://${directory}/jwks.json`,
        identitySource: '$request.querystring.t',
      },
      url: { type: 'jwt', jwtConfiguration, jwksUri: `${issuer}keys` },
      discovered: { type: 'jwt', jwtConfiguration },
      lost: { type: 'jwt', jwtConfiguration, jwksUri: join(directory, 'absent.json') },
      system: { type: 'jwt', jwtConfiguration, jwksUri: '/proc/self/environ' },
      pipe: { type: 'jwt', jwtConfiguration, jwksUri: join(directory, 'pipe') },
      text: { type: 'jwt', jwtConfiguration, jwksUri: '/etc/passwd' },
    },
    defaultAuthorizer: 'file',
    routes: [
      '$default -> echo',
      { route: 'GET /query', function: 'echo', authorizer: 'query' },
      { route: 'GET /url', function: 'echo', authorizer: 'url' },
      { route: 'GET /discovered', function: 'echo', authorizer: 'discovered' },
      ...['lost', 'system', 'pipe', 'text'].map((name) => ({
        route: `GET /${name}`,
        function: 'echo',
        authorizer: name,
      })),
      { route: 'GET /scoped', function: 'echo', authorizationScopes: ['items:read', 'items:write'] },
      { route: 'GET /one', function: 'echo', payloadFormatVersion: '1.0' },
      { route: 'GET /open', function: 'echo', authorizer: 'NONE' },
    ],
  });
}, 60_000);
afterAll(async () => {
  await service.close();
  server.close();
  rmSync(directory, { recursive: true });
});

async function call(path: string, authorization?: string) {
  const headers = authorization === undefined ? {} : { authorization };
  const response = await fetch(`${service.lamella.http.url}/_lamella/gateway/http${path}`, { headers });
  return { status: response.status, challenge: response.headers.get('www-authenticate'), text: await response.text() };
}

async function authorizerOf(path: string, authorization?: string) {
  const { status, text } = await call(path, authorization);
  expect([status, status === 200 ? '' : text]).toEqual([200, '']);
  return JSON.parse(text).authorizer;
}

const invalid = (description: string, scope = '') => ({
  status: 401,
  challenge: `Bearer scope="${scope}" error="invalid_token" error_description="${description}"`,
  text: '{"message":"Unauthorized"}',
});

describe('a JWT authorizer', () => {
  it('lets a valid token through with its claims as text', async () => {
    const claims = {
      exp: nowSeconds + 60,
      iat: nowSeconds - 60,
      nbf: nowSeconds - 60,
      aud: ['other', 'web'],
      'cognito:groups': ['admin', 'staff'],
      email_verified: true,
      address: { country: 'DE', city: 'Ulm' },
    };
    expect(await authorizerOf('/a', `Bearer ${token(claims)}`)).toEqual({
      jwt: {
        claims: {
          iss: issuer,
          sub: 'me',
          exp: String(claims.exp),
          iat: String(claims.iat),
          nbf: String(claims.nbf),
          aud: '[other web]',
          'cognito:groups': '[admin staff]',
          email_verified: 'true',
          address: 'map[city:Ulm country:DE]',
        },
        scopes: null,
      },
    });
  });

  it('accepts the token without Bearer, in a query parameter, and in events of format 1.0', async () => {
    expect((await authorizerOf('/a', token())).jwt.claims.sub).toBe('me');
    expect((await authorizerOf(`/query?t=${token()}`)).jwt.claims.sub).toBe('me');
    expect(await authorizerOf('/one', token())).toEqual({
      claims: expect.objectContaining({ sub: 'me' }),
      scopes: null,
    });
    expect(await authorizerOf('/open')).toBeUndefined();
  });

  it('accepts RS256, RS384 and RS512', async () => {
    for (const alg of ['RS256', 'RS384', 'RS512']) expect((await call('/a', token({}, { alg }))).status).toBe(200);
  });

  it('takes client_id as the audience only without aud', async () => {
    expect((await call('/a', token({ aud: undefined, client_id: 'web' }))).status).toBe(200);
    expect(await call('/a', token({ aud: 'other', client_id: 'web' }))).toEqual(
      invalid('the token does not have a valid audience'),
    );
  });

  it('is 401 with Bearer without a token', async () => {
    expect(await call('/a')).toEqual({ status: 401, challenge: 'Bearer', text: '{"message":"Unauthorized"}' });
  });

  it.each<[string, () => string, string]>([
    ['that is not one', () => 'nonsense', 'token contains an invalid number of segments'],
    ['of another issuer', () => token({ iss: 'https://other.example' }), 'issuer does not match'],
    ['for another audience', () => token({ aud: 'other' }), 'the token does not have a valid audience'],
    ['without an audience', () => token({ aud: undefined }), 'the token does not have a valid audience'],
    ['that has expired', () => token({ exp: nowSeconds - 1 }), 'the token has expired'],
    ['without an expiry', () => token({ exp: undefined }), 'the token has expired'],
    ['that is not valid yet', () => token({ nbf: nowSeconds + 600 }), 'the token is not valid yet'],
    ['from the future', () => token({ iat: nowSeconds + 600 }), 'the token was issued in the future'],
    ['without a key ID', () => token({}, { kid: undefined }), 'the token does not have a key ID'],
    [
      'with an unknown key',
      () => token({}, { kid: 'x' }),
      'the key ID of the token does not match a key of the issuer',
    ],
    ['signed with another key', () => token({}, {}, second.privateKey), 'crypto/rsa: verification error'],
    [
      'that was changed',
      () => token().replace(/\.[^.]+\./, `.${encode({ sub: 'you' })}.`),
      'crypto/rsa: verification error',
    ],
    ['without a signature', () => `${encode({ alg: 'none' })}.${encode({})}.`, 'signing method none is invalid'],
    [
      'signed with ECDSA',
      () => token({}, { alg: 'ES256', kid: 'curve' }, elliptic.privateKey),
      'signing method ES256 is invalid',
    ],
    ['with a header that is not JSON', () => 'a.b.c', 'the header of the token is not a JSON object in Base64URL'],
  ])('refuses a token %s', async (_, make, description) => {
    expect(await call('/a', make())).toEqual(invalid(description));
  });

  it('refuses a valid token in which any character is changed', async () => {
    const valid = token();
    const statuses = new Set<number>();
    for (let at = 0; at < valid.length - 1; at += 5) {
      const changed = `${valid.slice(0, at)}${valid[at] === 'A' ? 'B' : 'A'}${valid.slice(at + 1)}`;
      statuses.add((await call('/a', changed)).status);
    }
    expect([...statuses]).toEqual([401]);
    expect((await call('/a', valid)).status).toBe(200);
  });

  it('does not take a public key for the secret of an HMAC', async () => {
    const text = `${encode({ alg: 'HS256', kid: 'one' })}.${encode({ iss: issuer, aud: 'shop', exp: nowSeconds + 60 })}`;
    const secret = first.publicKey.export({ type: 'spki', format: 'pem' });
    const forged = `${text}.${createHmac('sha256', secret).update(text).digest('base64url')}`;
    expect(await call('/a', forged)).toEqual(invalid('signing method HS256 is invalid'));
  });

  it('requires one of the scopes of the route, from scope or scp', async () => {
    expect((await authorizerOf('/scoped', token({ scope: 'openid items:write' }))).jwt.scopes).toEqual([
      'openid',
      'items:write',
    ]);
    expect((await authorizerOf('/scoped', token({ scp: ['items:read'] }))).jwt.scopes).toEqual(['items:read']);
    const description = 'the token does not have any of the required scopes';
    for (const claims of [{}, { scope: 'items' }, { scope: 'openid', scp: ['items:read'] }]) {
      expect(await call('/scoped', token(claims))).toEqual({
        status: 403,
        challenge: `Bearer scope="items:read items:write" error="insufficient_scope" error_description="${description}"`,
        text: '{"message":"Forbidden"}',
      });
    }
    expect(await call('/scoped', 'nonsense')).toEqual(
      invalid('token contains an invalid number of segments', 'items:read items:write'),
    );
  });
});

describe('the keys of a JWT authorizer', () => {
  it('are read from the key set that the OpenID configuration of the issuer names', async () => {
    published = { keys: [jwk(first, 'one')] };
    discovery = undefined;
    expect(await call('/discovered', token())).toEqual(invalid('OIDC discovery endpoint communication error'));
    discovery = { jwks_uri: 'http://issuer.example/keys' };
    expect(await call('/discovered', token())).toEqual(invalid('OIDC discovery endpoint communication error'));
    discovery = { jwks_uri: `${issuer}certs` };
    asked.length = 0;
    expect((await call('/discovered', token())).status).toBe(200);
    expect((await call('/discovered', token())).status).toBe(200);
    expect(asked).toEqual(['/realm/.well-known/openid-configuration', '/realm/certs']);
  });

  it('are cached for two hours, and read again for a new key ID after 30 seconds', async () => {
    published = { keys: [jwk(first, 'one')] };
    asked.length = 0;
    const rotated = () => token({}, { kid: 'two' }, second.privateKey);
    expect((await call('/url', token())).status).toBe(200);
    published = { keys: [jwk(second, 'two')] };
    expect((await call('/url', rotated())).status).toBe(401);
    expect(asked).toEqual(['/realm/keys']);
    service.lamella.clock.advance(30_000);
    expect((await call('/url', rotated())).status).toBe(200);
    published = { keys: [] };
    service.lamella.clock.advance(2 * 3600 * 1000 - 1000);
    expect((await call('/url', rotated())).status).toBe(200);
    service.lamella.clock.advance(1000);
    expect((await call('/url', rotated())).status).toBe(401);
    expect(asked).toEqual(['/realm/keys', '/realm/keys', '/realm/keys']);
  });

  it('that cannot be read are 401, and the API goes on', async () => {
    for (const name of ['lost', 'system', 'pipe', 'text']) {
      expect(await call(`/${name}`, token())).toEqual(invalid('JWKS communication error'));
    }
    published = { keys: 'none' };
    service.lamella.clock.advance(3 * 3600 * 1000);
    expect(await call('/url', token())).toEqual(invalid('JWKS communication error'));
    expect((await call('/open')).status).toBe(200);
  });
});
