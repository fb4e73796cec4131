/**
 * Validates the token of a JWT authorizer in AWS's order: key and signature, issuer, audience, times, scopes. Where AWS's
 * descriptions of errors are recorded, these are the same; the others follow the Go library whose messages AWS passes on.
 * https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-jwt-authorizer.html
 * https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-troubleshooting-jwt.html
 */
import { type CompactJWSHeaderParameters, compactVerify, decodeProtectedHeader, errors, type LocalJWKSet } from 'jose';
import { parseJson } from '../../protocol/json.ts';
import type { Authorized } from '../exchange/authorized.ts';
import type { JwtAuthorizer } from './authorizer-config.ts';
import type { Denial } from './denial.ts';
import { type KeySets, KeysUnavailable } from './key-sets.ts';

/** "Currently, only RSA-based algorithms are supported." */
const ALGORITHMS: readonly string[] = ['RS256', 'RS384', 'RS512'];

type Claims = Readonly<Record<string, unknown>>;

/** The token is invalid. The message is the description for the client. */
class InvalidToken extends Error {}

export type JwtValidation = {
  readonly keySets: KeySets;
  readonly nowMs: number;
  /** Receives why keys cannot be read. */
  readonly warn: (reason: string) => void;
};

/** `identity` is the value of the identity source; `scopes` are those of the route, of which the token needs one. */
export async function validateJwt(
  authorizer: JwtAuthorizer,
  identity: string,
  scopes: readonly string[],
  { keySets, nowMs, warn }: JwtValidation,
): Promise<Authorized | { readonly denial: Denial }> {
  const challenge = (error: string, description: string) =>
    `Bearer scope="${scopes.join(' ')}" error="${error}" error_description="${description}"`;
  try {
    const claims = await readClaims(identity.replace(/^Bearer\s+/i, ''), authorizer, keySets);
    checkClaims(claims, authorizer, nowMs / 1000);
    const granted = scopesOf(claims);
    if (scopes.length > 0 && !scopes.some((scope) => granted.includes(scope))) {
      const description = 'the token does not have any of the required scopes';
      return { denial: { kind: 'insufficient-scope', challenge: challenge('insufficient_scope', description) } };
    }
    return { kind: 'jwt', claims: renderClaims(claims), scopes: scopes.length > 0 ? granted : null };
  } catch (failure) {
    if (failure instanceof KeysUnavailable) {
      warn(`the keys cannot be read: ${(failure.cause as Error).message}`);
    } else if (!(failure instanceof InvalidToken)) throw failure;
    return { denial: { kind: 'unauthorized', challenge: challenge('invalid_token', failure.message) } };
  }
}

async function readClaims(token: string, { keys }: JwtAuthorizer, keySets: KeySets): Promise<Claims> {
  if (token.split('.', 4).length !== 3) throw new InvalidToken('token contains an invalid number of segments');
  const header = readHeader(token);
  if (!ALGORITHMS.includes(header.alg ?? '')) {
    // The algorithm is the client's text, in a header that quotes it.
    const shown = /^[\w-]{1,20}$/.test(header.alg ?? '') ? ` ${header.alg}` : '';
    throw new InvalidToken(`signing method${shown} is invalid`);
  }
  if (typeof header.kid !== 'string') throw new InvalidToken('the token does not have a key ID');
  const keySet = await keySets.read(keys, header.kid);
  const payload = await verify(token, keySet);
  try {
    const claims = parseJson(Buffer.from(payload).toString('utf8'));
    if (typeof claims === 'object' && claims !== null && !Array.isArray(claims)) return claims as Claims;
  } catch {
    // Reported below, like JSON that is not an object.
  }
  throw new InvalidToken('the claims of the token are not a JSON object');
}

function readHeader(token: string): Partial<CompactJWSHeaderParameters> {
  try {
    return decodeProtectedHeader(token);
  } catch {
    throw new InvalidToken('the header of the token is not a JSON object in Base64URL');
  }
}

async function verify(token: string, keySet: LocalJWKSet): Promise<Uint8Array> {
  try {
    return (await compactVerify(token, keySet, { algorithms: [...ALGORITHMS] })).payload;
  } catch (failure) {
    if (failure instanceof errors.JWKSNoMatchingKey || failure instanceof errors.JWKSMultipleMatchingKeys) {
      throw new InvalidToken('the key ID of the token does not match a key of the issuer');
    }
    if (failure instanceof errors.JOSEError || failure instanceof TypeError) {
      throw new InvalidToken('crypto/rsa: verification error');
    }
    throw failure;
  }
}

/** @throws InvalidToken */
function checkClaims(claims: Claims, { issuer, audience }: JwtAuthorizer, nowSeconds: number): void {
  if (claims.iss !== issuer) throw new InvalidToken('issuer does not match');
  // client_id counts only without aud, as in access tokens of Cognito.
  const intended = claims.aud === undefined ? [claims.client_id] : [claims.aud].flat();
  if (!intended.some((one) => typeof one === 'string' && audience.includes(one))) {
    throw new InvalidToken('the token does not have a valid audience');
  }
  if (!isTime(claims.exp) || claims.exp <= nowSeconds) throw new InvalidToken('the token has expired');
  if (claims.nbf !== undefined && !(isTime(claims.nbf) && claims.nbf <= nowSeconds)) {
    throw new InvalidToken('the token is not valid yet');
  }
  if (claims.iat !== undefined && !(isTime(claims.iat) && claims.iat <= nowSeconds)) {
    throw new InvalidToken('the token was issued in the future');
  }
}

function isTime(value: unknown): value is number {
  return typeof value === 'number' && Number.isFinite(value);
}

/** `scope`, or `scp` as some issuers write it: text with spaces, or an array. */
function scopesOf({ scope, scp }: Claims): readonly string[] {
  const given = scope ?? scp;
  if (typeof given === 'string') return given.split(' ').filter(Boolean);
  return Array.isArray(given) ? given.filter((one) => typeof one === 'string') : [];
}

/** Claims as text, in the form that AWS's Go code gives them: `["a","b"]` is `[a b]`. */
function renderClaims(claims: Claims): Readonly<Record<string, string>> {
  return Object.fromEntries(Object.entries(claims).map(([name, value]) => [name, renderClaim(value)]));
}

function renderClaim(value: unknown): string {
  if (value === null) return '<nil>';
  if (Array.isArray(value)) return `[${value.map(renderClaim).join(' ')}]`;
  if (typeof value !== 'object') return String(value);
  const entries = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  return `map[${entries.map(([name, member]) => `${name}:${renderClaim(member)}`).join(' ')}]`;
}
