/**
 * The difference between a deployed stack and a project: of the templates, resource by resource, and of the code, file by
 * file. Changes nothing. What CloudFormation would do about it is the plan of `lamella deploy --dry-run`.
 */
import { readFile } from 'node:fs/promises';
import { ArchiveError, type ListedEntry, listArchive } from '../../storage/archive.ts';
import { readTemplate } from '../../template/read-template.ts';
import { parseS3Uri } from '../../template/sam/s3-location.ts';
import { isEqual, isObject, type Json, type JsonObject, member, section } from '../../template/tree.ts';
import type { BuiltProject } from '../build/build-project.ts';
import { CloudFailure } from '../cloud/cloud-client.ts';
import { openStore } from '../cloud/object-store.ts';
import { findManagedBucket } from './artifact-bucket.ts';
import { callerAccount, type DeployRequest, packageFor } from './deploy-project.ts';
import type { Deployer } from './deployer.ts';

export type FileDifference = {
  readonly path: string;
  readonly kind: 'added' | 'removed' | 'changed';
  readonly bytes: number;
};

export type Difference = {
  /** `Resources/Hello`, `Outputs/Url`, `Parameters/Stage`: section and name. */
  readonly at: string;
  readonly kind: 'added' | 'removed' | 'changed';
  readonly type: string | undefined;
  /** Of a change: paths below `at`, with both values; undefined where one does not exist. */
  readonly values: readonly {
    readonly path: string;
    readonly before: Json | undefined;
    readonly after: Json | undefined;
  }[];
  /** Of changed code; undefined if the code is the same, or the deployed code cannot be read. */
  readonly files: readonly FileDifference[] | undefined;
};

export type StackDifference = {
  readonly stackName: string;
  /** Whether there is no such stack yet. */
  readonly isNew: boolean;
  readonly differences: readonly Difference[];
};

/** Properties that name uploaded code, whose values differ whenever the code does. */
const CODE = ['CodeUri', 'ContentUri', 'Code', 'Content'];
const LIMITS = { unpackedBytes: 4e9, entries: 1_000_000 };

/** @throws CloudFailure, TemplateError */
export async function compareStack(
  deployer: Deployer,
  project: BuiltProject,
  request: DeployRequest,
): Promise<StackDifference> {
  const { stacks } = deployer;
  const account = await callerAccount(deployer);
  const stack = await stacks.describe(request.stackName);
  const isNew = stack === undefined || /^(DELETE_COMPLETE|REVIEW_IN_PROGRESS)$/.test(stack.status);
  const bucket = request.bucket ?? (await findManagedBucket(deployer)) ?? 'none';
  const { body: after } = await packageFor(deployer, project, request, bucket);
  const before = isNew ? ({} as JsonObject) : readTemplate(await stacks.template(stack.id)).body;
  const names = [...new Set([...Object.keys(before), ...Object.keys(after)])];
  const differences: Difference[] = [];
  for (const name of names) {
    const sections = [member(before, name), member(after, name)];
    const hasMembers = sections.every((each) => each === undefined || isObject(each));
    if (!hasMembers) {
      if (!isEqual(sections[0], sections[1])) differences.push(changed(name, undefined, '', sections[0], sections[1]));
      continue;
    }
    for (const key of new Set([...Object.keys(section(before, name)), ...Object.keys(section(after, name))])) {
      const difference = await compareMember(
        deployer,
        project,
        account,
        `${name}/${key}`,
        member(sections[0], key),
        member(sections[1], key),
      );
      if (difference !== undefined) differences.push(difference);
    }
  }
  for (const [key, value] of request.parameters) {
    const old = stack?.parameters.find((parameter) => parameter.key === key)?.value;
    if (!isNew && old !== value) differences.push(changed(`Parameter ${key}`, undefined, '', old, value));
  }
  return { stackName: request.stackName, isNew, differences };
}

function changed(
  at: string,
  type: string | undefined,
  path: string,
  before: Json | undefined,
  after: Json | undefined,
): Difference {
  return {
    at,
    kind: before === undefined ? 'added' : after === undefined ? 'removed' : 'changed',
    type,
    values: [{ path, before, after }],
    files: undefined,
  };
}

async function compareMember(
  deployer: Deployer,
  project: BuiltProject,
  account: string,
  at: string,
  before: Json | undefined,
  after: Json | undefined,
): Promise<Difference | undefined> {
  const typeOf = (value: Json | undefined) => {
    const type = member(value, 'Type');
    return at.startsWith('Resources/') && typeof type === 'string' ? type : undefined;
  };
  const type = typeOf(after) ?? typeOf(before);
  if (before === undefined || after === undefined) {
    return { at, kind: before === undefined ? 'added' : 'removed', type, values: [], files: undefined };
  }
  const values = valuesOf(before, after, '');
  if (values.length === 0) return undefined;
  const code = values.find(({ path }) => CODE.some((name) => path.startsWith(`/Properties/${name}`)));
  const files = code === undefined ? undefined : await compareCode(deployer, project, account, at, before);
  return { at, kind: 'changed', type, values: values.filter((value) => value !== code || files === undefined), files };
}

function valuesOf(
  before: Json | undefined,
  after: Json | undefined,
  path: string,
): { path: string; before: Json | undefined; after: Json | undefined }[] {
  if (isEqual(before, after)) return [];
  if (!isObject(before) || !isObject(after)) return [{ path, before, after }];
  return [...new Set([...Object.keys(before), ...Object.keys(after)])].flatMap((key) => {
    const isCode = path === '/Properties' && CODE.includes(key);
    const [one, other] = [member(before, key), member(after, key)];
    return isCode && !isEqual(one, other)
      ? [{ path: `${path}/${key}`, before: one, after: other }]
      : valuesOf(one, other, `${path}/${key}`);
  });
}

/** The files of the deployed zip against those of the built one. */
async function compareCode(
  { client, signal }: Deployer,
  project: BuiltProject,
  owner: string,
  at: string,
  before: Json,
): Promise<FileDifference[] | undefined> {
  const artifact = project.artifacts.find(({ logicalId }) => at === `Resources/${logicalId}`);
  const deployed = placeOf(section(before, 'Properties'));
  if (artifact === undefined || deployed === undefined) return undefined;
  try {
    const old = await openStore(client, { bucket: deployed.bucket, owner, signal }).get(deployed.key);
    return filesBetween(await listArchive(old, LIMITS), await listArchive(await readFile(artifact.zip), LIMITS));
  } catch (failure) {
    signal?.throwIfAborted();
    // Gone, or not a zip: that the code differs is known all the same.
    if (failure instanceof ArchiveError || failure instanceof CloudFailure) return undefined;
    throw failure;
  }
}

function placeOf(properties: JsonObject): { bucket: string; key: string } | undefined {
  for (const name of CODE) {
    const value = member(properties, name);
    const uri = parseS3Uri(value);
    if (uri !== undefined) return { bucket: uri.Bucket, key: uri.Key };
    const [bucket, key] = [
      member(value, 'S3Bucket') ?? member(value, 'Bucket'),
      member(value, 'S3Key') ?? member(value, 'Key'),
    ];
    if (typeof bucket === 'string' && typeof key === 'string') return { bucket, key };
  }
  return undefined;
}

function filesBetween(before: readonly ListedEntry[], after: readonly ListedEntry[]): FileDifference[] {
  const old = new Map(before.map((entry) => [entry.path, entry]));
  const now = new Map(after.map((entry) => [entry.path, entry]));
  return [...new Set([...old.keys(), ...now.keys()])].sort().flatMap((path): FileDifference[] => {
    const [one, other] = [old.get(path), now.get(path)];
    if (one?.kind === 'directory' || other?.kind === 'directory') return [];
    if (other === undefined) return [{ path, kind: 'removed', bytes: one?.bytes ?? 0 }];
    if (one === undefined) return [{ path, kind: 'added', bytes: other.bytes }];
    const isSame =
      one.crc32 === other.crc32 && one.bytes === other.bytes && one.mode === other.mode && one.kind === other.kind;
    return isSame ? [] : [{ path, kind: 'changed', bytes: other.bytes }];
  });
}
