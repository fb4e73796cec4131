/** How requests name a secret, and in which state it must be. */
import { isArn, parseSecretArn } from '../../protocol/arn.ts';
import type { Scope } from '../../protocol/names.ts';
import { JsonError } from '../../wire/json-protocol.ts';
import type { Secret, SecretStore } from './secret-store.ts';

/** By name, by ARN, or by an ARN without the six characters at its end. */
export function findSecret(store: SecretStore, scope: Scope, id: string): Secret | undefined {
  if (!isArn(id)) return store.find(scope, id);
  const parsed = parseSecretArn(id);
  if (parsed === undefined) return undefined;
  const byFullArn = store.find(parsed.scope, parsed.name.replace(/-[A-Za-z0-9]{6}$/, ''));
  if (byFullArn?.arn === id) return byFullArn;
  return store.find(parsed.scope, parsed.name);
}

/** @throws JsonError ResourceNotFoundException */
export function requireSecret(store: SecretStore, scope: Scope, id: string): Secret {
  const secret = findSecret(store, scope, id);
  if (secret === undefined) {
    throw new JsonError('ResourceNotFoundException', "Secrets Manager can't find the specified secret.");
  }
  return secret;
}

/** @throws JsonError if it is missing or marked for deletion */
export function requireActiveSecret(store: SecretStore, scope: Scope, id: string): Secret {
  const secret = requireSecret(store, scope, id);
  if (secret.deletion !== undefined) {
    const message = "You can't perform this operation on the secret because it was marked for deletion.";
    throw new JsonError('InvalidRequestException', message);
  }
  return secret;
}
