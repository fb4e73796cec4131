/**
 * Code signing configurations and their assignment to functions. Stored but not enforced: there are no signing profiles
 * to verify signatures with. Messages were recorded on AWS (2025-11).
 */
import { randomInt } from 'node:crypto';
import type { Clock } from '../../clock.ts';
import { parseLambdaArn, renderCodeSigningConfigArn, renderFunctionArn } from '../../protocol/arn.ts';
import type { Scope } from '../../protocol/names.ts';
import { ServiceError } from '../../protocol/service-errors.ts';
import type { Database } from '../../storage/database.ts';
import { type Page, pageOf, positionOrStart } from '../../storage/page.ts';
import type { FunctionDirectory } from '../function-directory.ts';
import { createSettingDocuments } from './setting-documents.ts';

export type CodeSigningConfig = {
  readonly id: string;
  readonly arn: string;
  readonly description: string;
  readonly allowedPublishers: readonly string[];
  readonly untrustedArtifactOnDeployment: 'Warn' | 'Enforce';
  readonly lastModifiedMs: number;
  readonly tags: Readonly<Record<string, string>>;
};

export type CodeSigningDraft = {
  readonly description: string | undefined;
  readonly allowedPublishers: readonly string[] | undefined;
  readonly untrustedArtifactOnDeployment: 'Warn' | 'Enforce' | undefined;
};

type PageRequest = { readonly marker: string | undefined; readonly maxItems: number };

export type CodeSigning = {
  create(scope: Scope, draft: CodeSigningDraft, tags: Readonly<Record<string, string>>): CodeSigningConfig;
  update(scope: Scope, arn: string, draft: CodeSigningDraft): CodeSigningConfig;
  get(scope: Scope, arn: string): CodeSigningConfig;
  remove(scope: Scope, arn: string): void;
  list(scope: Scope, page: PageRequest): Page<CodeSigningConfig>;
  setTags(scope: Scope, arn: string, tags: Readonly<Record<string, string>>): void;
  attach(scope: Scope, functionName: string, arn: string): void;
  /** The ARN of a function's configuration. */
  attached(scope: Scope, functionName: string): string | undefined;
  detach(scope: Scope, functionName: string): void;
  /** The ARNs of the functions that use a configuration. */
  functions(scope: Scope, arn: string): string[];
  /** Clears the cache. Call it when a function was deleted, which deletes its settings. */
  invalidate(): void;
};

type Row = { id: string; document: string };

/** All methods throw `ServiceError`s as AWS does. */
export function createCodeSigning({
  database,
  directory,
  clock,
}: {
  database: Database;
  directory: FunctionDirectory;
  clock: Clock;
}): CodeSigning {
  const attachments = createSettingDocuments<string>(database, 'code-signing');
  const ofScope = 'region = :region AND account = :account';
  const get = database.prepare<Row>(`SELECT * FROM code_signing_config WHERE ${ofScope} AND id = :id`);
  const put = database.prepare('INSERT OR REPLACE INTO code_signing_config VALUES (:region, :account, :id, :document)');
  const remove = database.prepare(`DELETE FROM code_signing_config WHERE ${ofScope} AND id = :id`);
  const list = database.prepare<Row>(
    `SELECT * FROM code_signing_config WHERE ${ofScope} AND id > :after ORDER BY id LIMIT :count`,
  );

  const find = ({ region, account }: Scope, arn: string): CodeSigningConfig | undefined => {
    const row = get.get({ region, account, id: parseLambdaArn(arn)?.id ?? '' });
    return row && JSON.parse(row.document);
  };
  const found = (scope: Scope, arn: string): CodeSigningConfig => {
    const config = find(scope, arn);
    if (config !== undefined) return config;
    throw new ServiceError(
      'UntypedResourceNotFoundException',
      `The Lambda code signing configuration ${arn} can not be found.`,
    );
  };
  const save = ({ region, account }: Scope, config: CodeSigningConfig) => {
    put.run({ region, account, id: config.id, document: JSON.stringify(config) });
    return config;
  };
  const functionsOf = (scope: Scope, arn: string) =>
    attachments
      .listAll(scope)
      .flatMap(({ name, document }) => (document === arn ? [renderFunctionArn(scope, name)] : []));

  return {
    create(scope, draft, tags) {
      const id = `csc-${Array.from({ length: 17 }, () => randomInt(36).toString(36)).join('')}`;
      return save(scope, {
        id,
        arn: renderCodeSigningConfigArn(scope, id),
        description: draft.description ?? '',
        allowedPublishers: draft.allowedPublishers ?? [],
        untrustedArtifactOnDeployment: draft.untrustedArtifactOnDeployment ?? 'Warn',
        lastModifiedMs: clock.epochMs(),
        tags,
      });
    },
    update(scope, arn, draft) {
      const present = found(scope, arn);
      return save(scope, {
        ...present,
        description: draft.description ?? present.description,
        allowedPublishers: draft.allowedPublishers ?? present.allowedPublishers,
        untrustedArtifactOnDeployment: draft.untrustedArtifactOnDeployment ?? present.untrustedArtifactOnDeployment,
        lastModifiedMs: clock.epochMs(),
      });
    },
    get: found,
    remove(scope, arn) {
      const { id } = found(scope, arn);
      const users = functionsOf(scope, arn);
      if (users.length > 0) {
        throw new ServiceError(
          'ResourceConflictException',
          `The code signing configuration ${arn} is in use by ${users.length} function(s). Detach it from them first.`,
        );
      }
      remove.run({ region: scope.region, account: scope.account, id });
    },
    list({ region, account }, { marker, maxItems }) {
      const [after] = positionOrStart(marker, ['']);
      const rows = list.all({ region, account, after, count: maxItems + 1 });
      return pageOf(
        rows.map((row): CodeSigningConfig => JSON.parse(row.document)),
        maxItems,
        ({ id }) => [id],
      );
    },
    setTags(scope, arn, tags) {
      save(scope, { ...found(scope, arn), tags });
    },
    attach(scope, functionName, arn) {
      if (find(scope, arn) === undefined) {
        throw new ServiceError(
          'CodeSigningConfigNotFoundException',
          `The code signing configuration cannot be found. Check that the provided configuration is not deleted: ${arn}.`,
        );
      }
      directory.requireFunction(scope, functionName);
      attachments.put(scope, functionName, '', arn);
    },
    attached(scope, functionName) {
      directory.requireFunction(scope, functionName);
      return attachments.get(scope, functionName, '');
    },
    detach(scope, functionName) {
      directory.requireFunction(scope, functionName);
      attachments.remove(scope, functionName, '');
    },
    functions(scope, arn) {
      found(scope, arn);
      return functionsOf(scope, arn);
    },
    invalidate: attachments.invalidate,
  };
}

/** The format of LastModified: `2026-11-22T10:00:00.000Z`. */
export function renderSigningDate(epochMs: number): string {
  return new Date(epochMs).toISOString();
}
