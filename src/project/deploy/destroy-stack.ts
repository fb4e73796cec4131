/**
 * Deletes a stack through CloudFormation, and what its deployments have uploaded. Objects in buckets of the stack are the
 * user's: CloudFormation deletes no bucket that has some, and here they are deleted only if the user agrees.
 */
import { OperatorError } from '../../operator-error.ts';
import { type ObjectStore, openStore } from '../cloud/object-store.ts';
import type { StackDescription, StackResource } from '../cloud/stack-api.ts';
import { MANAGED_STACK } from './artifact-bucket.ts';
import { callerAccount } from './deploy-project.ts';
import type { Deployer } from './deployer.ts';
import { follow, newestEvent, removeStack } from './run-stack.ts';

export type DestroyRequest = {
  readonly stackName: string;
  readonly roleArn: string | undefined;
  readonly retainResources: readonly string[];
  /** Where deployments have uploaded to; undefined for the managed bucket. */
  readonly bucket: string | undefined;
  /** Undefined: what is uploaded may belong to other stacks, and is kept. */
  readonly prefix: string | undefined;
};

export type FilledBucket = { readonly logicalId: string; readonly bucket: string; readonly objects: number };

export type DestroyQuestions = {
  delete(stack: StackDescription, resources: readonly StackResource[]): Promise<boolean>;
  /** Whether the objects of buckets of the stack may be deleted. */
  emptyBuckets(buckets: readonly FilledBucket[]): Promise<boolean>;
};

export type DestroyResult = {
  readonly status: 'deleted' | 'missing' | 'declined';
  /** Uploaded objects that were removed. */
  readonly removedObjects: number;
  readonly emptied: readonly FilledBucket[];
};

/** @throws OperatorError 'delete-failed', 'stack-unusable' */
export async function destroyStack(
  deployer: Deployer,
  request: DestroyRequest,
  questions: DestroyQuestions,
): Promise<DestroyResult> {
  const { stacks } = deployer;
  const account = await callerAccount(deployer);
  const found = await stacks.describe(request.stackName);
  const stack = found?.status === 'DELETE_COMPLETE' ? undefined : found;
  let emptied: readonly FilledBucket[] = [];
  if (stack !== undefined) {
    if (stack.isProtected) {
      const remedy = `Switch it off: aws cloudformation update-termination-protection --no-enable-termination-protection --stack-name ${stack.name}`;
      throw new OperatorError('stack-unusable', {
        name: stack.name,
        status: stack.status,
        reason: ': it is protected against deletion',
        remedy,
      });
    }
    const resources = await stacks.resources(stack.id);
    const live = resources.filter(({ status }) => status !== 'DELETE_COMPLETE');
    if (!(await questions.delete(stack, live))) return { status: 'declined', removedObjects: 0, emptied };
    await waitForEnd(deployer, stack);
    emptied = await emptyBuckets(deployer, live, account, request, questions);
    const { roleArn, retainResources } = request;
    // An earlier run may have begun to delete it.
    const isThere = ((await stacks.describe(stack.id))?.status ?? 'DELETE_COMPLETE') !== 'DELETE_COMPLETE';
    if (isThere) {
      await removeStack(deployer, stack.id, stack.name, {
        RoleARN: roleArn,
        RetainResources: retainResources.length > 0 ? retainResources : undefined,
      });
    }
  }
  const removedObjects = await removeUploads(deployer, request, account);
  return { status: stack === undefined ? 'missing' : 'deleted', removedObjects, emptied };
}

async function waitForEnd(deployer: Deployer, { id, name, status }: StackDescription): Promise<void> {
  if (!status.endsWith('_IN_PROGRESS') || status === 'REVIEW_IN_PROGRESS') return;
  deployer.onStatus(`The stack ${name} is in ${status}: waiting for the end of that operation`);
  await follow(deployer, id, await newestEvent(deployer, id));
}

async function emptyBuckets(
  deployer: Deployer,
  resources: readonly StackResource[],
  owner: string,
  { retainResources }: DestroyRequest,
  questions: DestroyQuestions,
): Promise<readonly FilledBucket[]> {
  const filled: (FilledBucket & { store: ObjectStore })[] = [];
  for (const { type, physicalId, logicalId } of resources) {
    if (type !== 'AWS::S3::Bucket' || physicalId === undefined || retainResources.includes(logicalId)) continue;
    const store = openStore(deployer.client, { bucket: physicalId, owner, signal: deployer.signal });
    const objects = await store.list('').catch(() => []);
    if (objects.length > 0) filled.push({ logicalId, bucket: physicalId, objects: objects.length, store });
  }
  if (filled.length === 0 || !(await questions.emptyBuckets(filled))) return [];
  for (const { store } of filled) await removeAll(store, '');
  return filled.map(({ store: _, ...bucket }) => bucket);
}

/** What deployments of the stack have uploaded: everything below its prefix. */
async function removeUploads(deployer: Deployer, request: DestroyRequest, owner: string): Promise<number> {
  const { prefix, stackName } = request;
  if (prefix === undefined || prefix === '' || stackName === MANAGED_STACK) return 0;
  const bucket = request.bucket ?? (await managedBucketName(deployer));
  if (bucket === undefined) return 0;
  return removeAll(openStore(deployer.client, { bucket, owner, signal: deployer.signal }), `${prefix}/`);
}

async function managedBucketName({ stacks }: Deployer): Promise<string | undefined> {
  const stack = await stacks.describe(MANAGED_STACK);
  return stack?.outputs.find(({ key }) => key === 'SourceBucket')?.value;
}

async function removeAll(store: ObjectStore, prefix: string): Promise<number> {
  const objects = await store.list(prefix);
  for (const object of objects) await store.delete(object);
  return objects.length;
}
