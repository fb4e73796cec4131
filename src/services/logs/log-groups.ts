/** Log groups and log streams, and their rows in the database. */
import type { Scope } from '../../protocol/names.ts';

export type LogGroup = {
  readonly id: number;
  readonly scope: Scope;
  readonly name: string;
  readonly createdMs: number;
  /** Undefined keeps events until the logs exceed their maximum size. */
  readonly retentionDays: number | undefined;
  readonly class: string;
  readonly kmsKeyId: string | undefined;
  readonly isProtected: boolean;
  readonly tags: Readonly<Record<string, string>>;
  /** Messages plus AWS's overhead per event. */
  readonly storedBytes: number;
};

export type LogStream = {
  readonly id: number;
  readonly groupId: number;
  readonly name: string;
  readonly createdMs: number;
  readonly firstEventMs: number | undefined;
  readonly lastEventMs: number | undefined;
  readonly lastIngestionMs: number | undefined;
};

export type LogGroupRow = {
  readonly id: number;
  readonly region: string;
  readonly account: string;
  readonly name: string;
  readonly created_ms: number;
  readonly retention_days: number | null;
  readonly class: string;
  readonly kms_key_id: string | null;
  readonly is_protected: number;
  readonly tags: string;
  readonly stored_bytes: number;
};

export type LogStreamRow = {
  readonly id: number;
  readonly group_id: number;
  readonly name: string;
  readonly created_ms: number;
  readonly first_event_ms: number | null;
  readonly last_event_ms: number | null;
  readonly last_ingestion_ms: number | null;
};

export function groupOf(row: LogGroupRow): LogGroup {
  return {
    id: row.id,
    scope: { region: row.region, account: row.account },
    name: row.name,
    createdMs: row.created_ms,
    retentionDays: row.retention_days ?? undefined,
    class: row.class,
    kmsKeyId: row.kms_key_id ?? undefined,
    isProtected: row.is_protected !== 0,
    tags: JSON.parse(row.tags) as Record<string, string>,
    storedBytes: row.stored_bytes,
  };
}

export function streamOf(row: LogStreamRow): LogStream {
  return {
    id: row.id,
    groupId: row.group_id,
    name: row.name,
    createdMs: row.created_ms,
    firstEventMs: row.first_event_ms ?? undefined,
    lastEventMs: row.last_event_ms ?? undefined,
    lastIngestionMs: row.last_ingestion_ms ?? undefined,
  };
}
