/**
 * Results of Lambda authorizers, by authorizer and identity. A policy is cached, not a decision: it can allow one method
 * and deny another. A replaced gateway has new authorizers, so its old results go with the old ones.
 * https://docs.aws.amazon.com/apigateway/latest/developerguide/configure-api-gateway-lambda-authorization.html
 */
import { createHash } from 'node:crypto';
import type { Clock } from '../../clock.ts';
import type { LambdaAuthorizer } from './authorizer-config.ts';
import type { AuthorizerResult } from './authorizer-response.ts';

/** Maximum number of results for one authorizer. The oldest is dropped. Results have at most 8 KB. */
const MAX_RESULTS = 1_000;

export type ResultCache = {
  find(authorizer: LambdaAuthorizer, identity: readonly string[]): AuthorizerResult | undefined;
  /** Keeps a result for as long as the authorizer says. */
  keep(authorizer: LambdaAuthorizer, identity: readonly string[], result: AuthorizerResult): void;
};

type Kept = { readonly result: AuthorizerResult; readonly untilMs: number };

/** `clock` is the one that tests can advance. */
export function createResultCache(clock: Clock): ResultCache {
  const results = new WeakMap<LambdaAuthorizer, Map<string, Kept>>();
  return {
    find(authorizer, identity) {
      if (authorizer.ttlSeconds === 0) return undefined;
      const kept = results.get(authorizer)?.get(keyOf(identity));
      return kept !== undefined && kept.untilMs > clock.epochMs() ? kept.result : undefined;
    },
    keep(authorizer, identity, result) {
      if (authorizer.ttlSeconds === 0) return;
      const own = results.get(authorizer) ?? new Map<string, Kept>();
      results.set(authorizer, own);
      const key = keyOf(identity);
      own.delete(key);
      const [oldest] = own.keys();
      if (own.size >= MAX_RESULTS && oldest !== undefined) own.delete(oldest);
      own.set(key, { result, untilMs: clock.epochMs() + authorizer.ttlSeconds * 1000 });
    },
  };
}

/** A digest, so that the cache holds no tokens and long ones take no space. */
function keyOf(identity: readonly string[]): string {
  return createHash('sha256').update(JSON.stringify(identity)).digest('base64');
}
