/** Resource policies of layer versions: one for each version, deleted with it. */
import { randomUUID } from 'node:crypto';
import { renderLayerVersionArn } from '../protocol/arn.ts';
import type { Scope } from '../protocol/names.ts';
import { ServiceError } from '../protocol/service-errors.ts';
import type { Database } from '../storage/database.ts';
import {
  addStatement,
  checkRevision,
  type PolicyStatement,
  type ResourcePolicy,
  removeStatement,
} from './resource-policy.ts';

export type LayerPolicies = {
  add(scope: Scope, name: string, version: number, statement: PolicyStatement, revisionId?: string): ResourcePolicy;
  get(scope: Scope, name: string, version: number): ResourcePolicy;
  remove(scope: Scope, name: string, version: number, statementId: string, revisionId?: string): void;
};

/** All methods throw `ServiceError`s as AWS does. */
export function createLayerPolicies(database: Database): LayerPolicies {
  const exists = database.prepare(
    'SELECT 1 FROM layer_version WHERE region = :region AND account = :account AND name = :name AND version = :version',
  );
  const ofVersion = 'region = :region AND account = :account AND name = :name AND version = :version';
  const get = database.prepare<{ document: string }>(`SELECT document FROM layer_version_policy WHERE ${ofVersion}`);
  const put = database.prepare(
    'INSERT OR REPLACE INTO layer_version_policy VALUES (:region, :account, :name, :version, :document)',
  );
  const remove = database.prepare(`DELETE FROM layer_version_policy WHERE ${ofVersion}`);
  const key = ({ region, account }: Scope, name: string, version: number) => ({ region, account, name, version });

  function find(scope: Scope, name: string, version: number): ResourcePolicy | undefined {
    if (exists.get(key(scope, name, version)) === undefined) {
      const arn = renderLayerVersionArn(scope, name, version);
      throw new ServiceError('ResourceNotFoundException', `Layer version ${arn} does not exist.`);
    }
    const row = get.get(key(scope, name, version));
    return row && JSON.parse(row.document);
  }

  function found(scope: Scope, name: string, version: number): ResourcePolicy {
    const policy = find(scope, name, version);
    if (policy === undefined) {
      throw new ServiceError('ResourceNotFoundException', 'No policy is associated with the given resource.');
    }
    return policy;
  }

  return {
    add(scope, name, version, statement, revisionId) {
      const policy = find(scope, name, version);
      checkRevision(revisionId, policy?.revisionId, 'GetLayerPolicy');
      const grown = addStatement(policy, statement, randomUUID());
      put.run({ ...key(scope, name, version), document: JSON.stringify(grown) });
      return grown;
    },
    get: found,
    remove(scope, name, version, statementId, revisionId) {
      const policy = found(scope, name, version);
      checkRevision(revisionId, policy.revisionId, 'GetLayerPolicy');
      const shrunk = removeStatement(policy, statementId, randomUUID());
      if (shrunk === undefined) remove.run(key(scope, name, version));
      else put.run({ ...key(scope, name, version), document: JSON.stringify(shrunk) });
    },
  };
}
