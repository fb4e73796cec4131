/**
 * What a deployment uploads, and the template that refers to it: the zips of a build, other local files and the templates
 * of nested stacks, each under a key made from its content. What is in the bucket already is not uploaded again, and the
 * same sources give the same template.
 */
import { createHash } from 'node:crypto';
import { readFileSync, statSync } from 'node:fs';
import { extname } from 'node:path';
import { OperatorError } from '../../operator-error.ts';
import { renderYaml } from '../../template/render-yaml.ts';
import { copy, type Json, type JsonObject, objectOf } from '../../template/tree.ts';
import { findArtifacts, findLocalFiles, type LocalFile } from '../build/artifacts.ts';
import { type BuiltProject, readProjectTemplate, setAt } from '../build/build-project.ts';

export type Upload = {
  readonly key: string;
  readonly bytes: number;
  /** What it is for, such as the logical IDs of functions. */
  readonly names: readonly string[];
  readonly content: { readonly file: string } | { readonly body: Buffer };
};

export type PackagedTemplate = {
  readonly text: string;
  readonly body: JsonObject;
  /** Each key once. */
  readonly uploads: readonly Upload[];
};

export type Destination = {
  readonly bucket: string;
  /** Without a slash at its end; empty for none. */
  readonly prefix: string;
  objectUrl(bucket: string, key: string): string;
};

/** @throws OperatorError 'file-unreadable' for a local file that is missing */
export async function packageTemplate(project: BuiltProject, destination: Destination): Promise<PackagedTemplate> {
  const uploads = new Map<string, Upload>();
  const packaged = await packageOne(project, destination, uploads);
  return { ...packaged, uploads: [...uploads.values()] };
}

async function packageOne(project: BuiltProject, destination: Destination, uploads: Map<string, Upload>) {
  const body = copy(project.body);
  const built = new Map(project.artifacts.map((artifact) => [artifact.logicalId, artifact]));
  const template = await readProjectTemplate(project.template);
  for (const { logicalId, type, path } of findArtifacts(template)) {
    const artifact = built.get(logicalId);
    if (artifact === undefined) continue;
    const key = keyOf(destination, artifact.sha256, '.zip');
    add(uploads, { key, bytes: artifact.bytes, names: [logicalId], content: { file: artifact.zip } });
    setAt(body, path, codeAt(destination.bucket, key, type));
  }
  for (const file of findLocalFiles(template)) {
    const name = String(file.path[1]);
    const nested = project.nested[name];
    const content =
      file.isTemplate && nested !== undefined
        ? Buffer.from((await packageOne(nested, destination, uploads)).text)
        : readLocal(file);
    const extension = file.isTemplate ? '.template' : extname(file.source);
    const key = keyOf(destination, createHash('sha256').update(content).digest('hex'), extension);
    add(uploads, { key, bytes: content.length, names: [name], content: { body: content } });
    setAt(body, file.path, locationOf(file, destination, key));
  }
  return { body, text: renderYaml(body) };
}

function add(uploads: Map<string, Upload>, upload: Upload): void {
  const same = uploads.get(upload.key);
  uploads.set(upload.key, same === undefined ? upload : { ...same, names: [...same.names, ...upload.names] });
}

function readLocal({ source, place, path }: LocalFile): Buffer {
  const where = `${place.file}:${place.line}:${place.column}`;
  const reason = `no such file (${where}, ${String(path[1])})`;
  if (!statSync(source, { throwIfNoEntry: false })?.isFile())
    throw new OperatorError('file-unreadable', { file: source, reason });
  return readFileSync(source);
}

/** The key of an object: its content decides. */
export function keyOf({ prefix }: Pick<Destination, 'prefix'>, digest: string, extension: string): string {
  return `${prefix === '' ? '' : `${prefix}/`}${digest}${extension}`;
}

function codeAt(bucket: string, key: string, type: string): Json {
  return type.startsWith('AWS::Serverless::') ? `s3://${bucket}/${key}` : objectOf({ S3Bucket: bucket, S3Key: key });
}

function locationOf({ form }: LocalFile, { bucket, objectUrl }: Destination, key: string): Json {
  if (form === 'url') return objectUrl(bucket, key);
  if (form === 'uri') return `s3://${bucket}/${key}`;
  return objectOf({ [form.bucket]: bucket, [form.key]: key });
}
