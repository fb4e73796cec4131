/**
 * Buckets and objects: rows in the database, and one file per object for its content. A file is complete (by a rename)
 * before its row is inserted, and removed after its row is deleted. Files without a row, after a crash, are removed at
 * the next start. Independent of S3's protocol.
 */
import { randomBytes, randomUUID } from 'node:crypto';
import { mkdirSync, readdirSync, rmSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock } from '../../clock.ts';
import type { Scope } from '../../protocol/names.ts';
import type { Database } from '../../storage/database.ts';
import { createUnreferenced } from '../../storage/unreferenced.ts';

export type Versioning = '' | 'Enabled' | 'Suspended';

export type Bucket = {
  readonly name: string;
  readonly scope: Scope;
  readonly createdMs: number;
  readonly versioning: Versioning;
};

/** The stored headers of the request that created an object, by lower-case name. */
export type ObjectHeaders = Readonly<Record<string, string>>;
export type ObjectTags = Readonly<Record<string, string>>;

/** One version of an object. */
export type StoredObject = {
  readonly bucket: string;
  readonly key: string;
  /** `null` for objects that were stored without versioning. */
  readonly versionId: string;
  readonly isLatest: boolean;
  /** The file with its content. Undefined for a delete marker. */
  readonly path: string | undefined;
  readonly size: number;
  /** Without quotes. */
  readonly etag: string;
  readonly headers: ObjectHeaders;
  readonly tags: ObjectTags;
  readonly modifiedMs: number;
};

/** A complete file that is not an object yet. */
export type ReceivedFile = { readonly path: string; readonly size: number; readonly etag: string };

export type Upload = {
  readonly id: string;
  readonly bucket: string;
  readonly key: string;
  readonly headers: ObjectHeaders;
  readonly tags: ObjectTags;
  readonly initiatedMs: number;
};

export type Part = {
  readonly number: number;
  readonly path: string;
  readonly size: number;
  readonly etag: string;
  readonly modifiedMs: number;
};

export type NewObject = {
  readonly key: string;
  readonly file: ReceivedFile;
  readonly headers: ObjectHeaders;
  readonly tags: ObjectTags;
};

export type S3StoreOptions = {
  readonly database: Database;
  readonly clock: Clock;
  /** The store's directory. It is created if it is missing. */
  readonly directory: string;
};

export type S3Store = ReturnType<typeof createS3Store>;

type BucketRow = { name: string; region: string; account: string; created_ms: number; versioning: string };
type ObjectRow = {
  bucket: string;
  key: string;
  version_id: string;
  is_latest: number;
  file: string | null;
  size: number;
  etag: string;
  headers: string;
  tags: string;
  modified_ms: number;
};
type UploadRow = { id: string; bucket: string; key: string; headers: string; tags: string; initiated_ms: number };
type PartRow = { number: number; file: string; size: number; etag: string; modified_ms: number };

/** Opens the store and removes files that an earlier service left unfinished. */
export function createS3Store({ database, clock, directory }: S3StoreOptions) {
  const objects = join(directory, 'objects');
  const receiving = join(directory, 'receiving');
  rmSync(receiving, { recursive: true, force: true });
  for (const path of [objects, receiving]) mkdirSync(path, { recursive: true, mode: 0o700 });
  const sql = prepareStatements(database);
  const known = new Set(sql.files.all().map(({ file }) => file));
  const expired = createUnreferenced(objects).expired(readdirSync(objects), (file) => known.has(file), clock.epochMs());
  for (const file of expired) rmSync(join(objects, file), { force: true });

  const nowMs = () => Math.trunc(clock.epochMs());
  const objectOf = (row: ObjectRow): StoredObject => ({
    bucket: row.bucket,
    key: row.key,
    versionId: row.version_id,
    isLatest: row.is_latest === 1,
    path: row.file === null ? undefined : join(objects, row.file),
    size: row.size,
    etag: row.etag,
    headers: JSON.parse(row.headers) as ObjectHeaders,
    tags: JSON.parse(row.tags) as ObjectTags,
    modifiedMs: row.modified_ms,
  });
  const discard = async (files: readonly (string | null | undefined)[]): Promise<void> => {
    for (const file of files) if (file) await rm(join(objects, file), { force: true });
  };
  const fileNameOf = (path: string) => path.slice(objects.length + 1);

  /** Inserts the row as the latest version. Returns the version and the file that it replaces. */
  const insert = (bucket: Bucket, object: Omit<NewObject, 'file'> & { readonly file: ReceivedFile | undefined }) => {
    const isVersioned = bucket.versioning === 'Enabled';
    const versionId = isVersioned ? randomBytes(24).toString('base64url') : 'null';
    return database.transaction(() => {
      const replaced = isVersioned ? undefined : sql.version.get(bucket.name, object.key, 'null');
      if (replaced) sql.deleteVersion.run(bucket.name, object.key, 'null');
      sql.demote.run(bucket.name, object.key);
      sql.insertObject.run({
        bucket: bucket.name,
        key: object.key,
        versionId,
        file: object.file ? fileNameOf(object.file.path) : null,
        size: object.file?.size ?? 0,
        etag: object.file?.etag ?? '',
        headers: JSON.stringify(object.headers),
        tags: JSON.stringify(object.tags),
        modifiedMs: nowMs(),
      });
      const stored = sql.version.get(bucket.name, object.key, versionId);
      if (stored === undefined) throw new Error('a newly inserted object is missing');
      return { stored: objectOf(stored), replacedFile: replaced?.file };
    });
  };

  return {
    /** A path for a file that is being received. The caller renames it to a `keptPath` or removes it. */
    receivingPath: (): string => join(receiving, randomUUID()),
    /** A path for a complete file. */
    keptPath: (): string => join(objects, randomUUID()),

    bucket(name: string): Bucket | undefined {
      const row = sql.bucket.get(name);
      return row && bucketOf(row);
    },
    buckets(account: string): readonly Bucket[] {
      return sql.buckets.all(account).map(bucketOf);
    },
    createBucket(name: string, scope: Scope): void {
      sql.insertBucket.run(name, scope.region, scope.account, nowMs());
    },
    /** False if the bucket is not empty. */
    deleteBucket(name: string): boolean {
      return database.transaction(() => {
        if (sql.anyObject.get(name) !== undefined || sql.anyUpload.get(name) !== undefined) return false;
        sql.deleteBucket.run(name);
        return true;
      });
    },
    setVersioning(name: string, versioning: Versioning): void {
      sql.setVersioning.run(versioning, name);
    },
    configuration(bucket: string, name: string): string | undefined {
      return sql.configuration.get(bucket, name)?.document;
    },
    setConfiguration(bucket: string, name: string, document: string): void {
      sql.setConfiguration.run(bucket, name, document);
    },
    deleteConfiguration(bucket: string, name: string): void {
      sql.deleteConfiguration.run(bucket, name);
    },

    /** The requested version, or the latest one, which can be a delete marker. */
    object(bucket: string, key: string, versionId?: string): StoredObject | undefined {
      const row = versionId === undefined ? sql.latest.get(bucket, key) : sql.version.get(bucket, key, versionId);
      return row && objectOf(row);
    },
    /**
     * Up to `limit` objects, without delete markers, after the key `after`, in the order of their keys' UTF-8 bytes.
     */
    objects(bucket: string, prefix: string, after: string, limit: number): readonly StoredObject[] {
      return sql.list.all(bucket, after, prefix, `${prefix}\u{10FFFF}`, limit).map(objectOf);
    },
    /** All versions of up to `keys` keys after `after`: by key, the latest first. */
    versions(bucket: string, prefix: string, after: string, keys: number): readonly StoredObject[] {
      return sql.versions.all(bucket, after, prefix, `${prefix}\u{10FFFF}`, keys).map(objectOf);
    },

    async put(bucket: Bucket, object: NewObject): Promise<StoredObject> {
      const { stored, replacedFile } = insert(bucket, object);
      await discard([replacedFile]);
      return stored;
    },
    setTags(object: StoredObject, tags: ObjectTags): void {
      sql.setTags.run(JSON.stringify(tags), object.bucket, object.key, object.versionId);
    },
    /** Deletes the object, or with versioning inserts and returns a delete marker. */
    async delete(bucket: Bucket, key: string): Promise<StoredObject | undefined> {
      if (bucket.versioning === '') {
        const row = sql.latest.get(bucket.name, key);
        if (row === undefined) return undefined;
        sql.deleteVersion.run(bucket.name, key, row.version_id);
        await discard([row.file]);
        return undefined;
      }
      const { stored, replacedFile } = insert(bucket, { key, file: undefined, headers: {}, tags: {} });
      await discard([replacedFile]);
      return stored;
    },
    /** Deletes one version permanently. The newest remaining version becomes the latest. */
    async deleteVersion(object: StoredObject): Promise<void> {
      database.transaction(() => {
        sql.deleteVersion.run(object.bucket, object.key, object.versionId);
        if (object.isLatest) sql.promote.run(object.bucket, object.key);
      });
      await discard([object.path && fileNameOf(object.path)]);
    },

    createUpload(bucket: string, key: string, headers: ObjectHeaders, tags: ObjectTags): Upload {
      const id = randomBytes(48).toString('base64url');
      const upload = { id, bucket, key, headers, tags, initiatedMs: nowMs() };
      sql.insertUpload.run(id, bucket, key, JSON.stringify(headers), JSON.stringify(tags), upload.initiatedMs);
      return upload;
    },
    upload(bucket: string, key: string, id: string): Upload | undefined {
      const row = sql.upload.get(id);
      return row?.bucket === bucket && row.key === key ? uploadOf(row) : undefined;
    },
    uploads(bucket: string, prefix: string): readonly Upload[] {
      return sql.uploads.all(bucket, prefix, `${prefix}\u{10FFFF}`).map(uploadOf);
    },
    /** By number. */
    parts(upload: Upload): readonly Part[] {
      return sql.parts.all(upload.id).map((row) => ({
        number: row.number,
        path: join(objects, row.file),
        size: row.size,
        etag: row.etag,
        modifiedMs: row.modified_ms,
      }));
    },
    /** Stores a part, replacing an earlier part of this number. False if the upload has ended in the meantime. */
    async putPart(upload: Upload, number: number, file: ReceivedFile): Promise<boolean> {
      const replaced = database.transaction(() => {
        if (sql.upload.get(upload.id) === undefined) return undefined;
        const before = sql.part.get(upload.id, number);
        sql.insertPart.run(upload.id, number, fileNameOf(file.path), file.size, file.etag, nowMs());
        return [before?.file];
      });
      await discard(replaced ?? [fileNameOf(file.path)]);
      return replaced !== undefined;
    },
    /** Ends the upload and removes its parts. An object made of them must have its own file. */
    async endUpload(upload: Upload): Promise<void> {
      const files = database.transaction(() => {
        const parts = sql.parts.all(upload.id);
        sql.deleteUpload.run(upload.id);
        return parts.map(({ file }) => file);
      });
      await discard(files);
    },
  };
}

function bucketOf(row: BucketRow): Bucket {
  return {
    name: row.name,
    scope: { region: row.region, account: row.account },
    createdMs: row.created_ms,
    versioning: row.versioning as Versioning,
  };
}

function uploadOf(row: UploadRow): Upload {
  return {
    id: row.id,
    bucket: row.bucket,
    key: row.key,
    headers: JSON.parse(row.headers) as ObjectHeaders,
    tags: JSON.parse(row.tags) as ObjectTags,
    initiatedMs: row.initiated_ms,
  };
}

function prepareStatements(database: Database) {
  return {
    files: database.prepare<{ file: string }>(
      'SELECT file FROM s3_object WHERE file IS NOT NULL UNION ALL SELECT file FROM s3_part',
    ),
    bucket: database.prepare<BucketRow>('SELECT * FROM s3_bucket WHERE name = ?'),
    buckets: database.prepare<BucketRow>('SELECT * FROM s3_bucket WHERE account = ? ORDER BY name'),
    insertBucket: database.prepare("INSERT INTO s3_bucket VALUES (?, ?, ?, ?, '')"),
    deleteBucket: database.prepare('DELETE FROM s3_bucket WHERE name = ?'),
    setVersioning: database.prepare('UPDATE s3_bucket SET versioning = ? WHERE name = ?'),
    anyObject: database.prepare('SELECT 1 FROM s3_object WHERE bucket = ? LIMIT 1'),
    anyUpload: database.prepare('SELECT 1 FROM s3_upload WHERE bucket = ? LIMIT 1'),
    configuration: database.prepare<{ document: string }>(
      'SELECT document FROM s3_bucket_configuration WHERE bucket = ? AND name = ?',
    ),
    setConfiguration: database.prepare('INSERT OR REPLACE INTO s3_bucket_configuration VALUES (?, ?, ?)'),
    deleteConfiguration: database.prepare('DELETE FROM s3_bucket_configuration WHERE bucket = ? AND name = ?'),
    latest: database.prepare<ObjectRow>('SELECT * FROM s3_object WHERE bucket = ? AND key = ? AND is_latest = 1'),
    version: database.prepare<ObjectRow>('SELECT * FROM s3_object WHERE bucket = ? AND key = ? AND version_id = ?'),
    list: database.prepare<ObjectRow>(`
      SELECT * FROM s3_object
      WHERE bucket = ? AND key > ? AND key >= ? AND key < ? AND is_latest = 1 AND file IS NOT NULL
      ORDER BY key LIMIT ?`),
    versions: database.prepare<ObjectRow>(`
      SELECT o.* FROM s3_object AS o WHERE o.bucket = ?1 AND o.key IN (
        SELECT DISTINCT key FROM s3_object WHERE bucket = ?1 AND key > ?2 AND key >= ?3 AND key < ?4 ORDER BY key LIMIT ?5)
      ORDER BY o.key, o.is_latest DESC, o.id DESC`),
    demote: database.prepare('UPDATE s3_object SET is_latest = 0 WHERE bucket = ? AND key = ? AND is_latest = 1'),
    promote: database.prepare(`
      UPDATE s3_object SET is_latest = 1 WHERE id = (
        SELECT id FROM s3_object WHERE bucket = ? AND key = ? ORDER BY modified_ms DESC, id DESC LIMIT 1)`),
    insertObject: database.prepare(`
      INSERT INTO s3_object (bucket, key, version_id, is_latest, file, size, etag, headers, tags, modified_ms)
      VALUES (:bucket, :key, :versionId, 1, :file, :size, :etag, :headers, :tags, :modifiedMs)`),
    setTags: database.prepare('UPDATE s3_object SET tags = ? WHERE bucket = ? AND key = ? AND version_id = ?'),
    deleteVersion: database.prepare('DELETE FROM s3_object WHERE bucket = ? AND key = ? AND version_id = ?'),
    insertUpload: database.prepare('INSERT INTO s3_upload VALUES (?, ?, ?, ?, ?, ?)'),
    upload: database.prepare<UploadRow>('SELECT * FROM s3_upload WHERE id = ?'),
    uploads: database.prepare<UploadRow>(
      'SELECT * FROM s3_upload WHERE bucket = ? AND key >= ? AND key < ? ORDER BY key, initiated_ms',
    ),
    deleteUpload: database.prepare('DELETE FROM s3_upload WHERE id = ?'),
    part: database.prepare<PartRow>('SELECT * FROM s3_part WHERE upload_id = ? AND number = ?'),
    parts: database.prepare<PartRow>('SELECT * FROM s3_part WHERE upload_id = ? ORDER BY number'),
    insertPart: database.prepare('INSERT OR REPLACE INTO s3_part VALUES (?, ?, ?, ?, ?, ?)'),
  };
}
