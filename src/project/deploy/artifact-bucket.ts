/**
 * The bucket for what a deployment uploads: the one that the user names, or the one of the stack
 * `aws-sam-cli-managed-default`, which SAM makes as well, so that both tools use one bucket. The stack is made if it is
 * missing: encrypted, with versions, closed to the public and to connections without TLS.
 */
import { OperatorError } from '../../operator-error.ts';
import { bucketStatus, type ObjectStore, openStore } from '../cloud/object-store.ts';
import type { StackDescription } from '../cloud/stack-api.ts';
import type { Deployer } from './deployer.ts';
import { runStack } from './run-stack.ts';

export const MANAGED_STACK = 'aws-sam-cli-managed-default';
const OUTPUT = 'SourceBucket';
const TAG = { Key: 'ManagedStackSource', Value: 'AwsSamCli' };

const POLICY = {
  Version: '2012-10-17',
  Statement: [
    {
      Sid: 'OnlyWithTls',
      Effect: 'Deny',
      Principal: '*',
      Action: 's3:*',
      Resource: [
        { 'Fn::GetAtt': ['SamCliSourceBucket', 'Arn'] },
        { 'Fn::Sub': ['$' + '{Bucket}/*', { Bucket: { 'Fn::GetAtt': ['SamCliSourceBucket', 'Arn'] } }] },
      ],
      Condition: { Bool: { 'aws:SecureTransport': 'false' } },
    },
  ],
};

/** Also for AWS's own tools: the logical IDs and the output are those of SAM's stack. */
const TEMPLATE = {
  AWSTemplateFormatVersion: '2010-09-09',
  Description: 'Bucket for deployments of SAM and Lamella',
  Resources: {
    SamCliSourceBucket: {
      Type: 'AWS::S3::Bucket',
      Properties: {
        VersioningConfiguration: { Status: 'Enabled' },
        BucketEncryption: {
          ServerSideEncryptionConfiguration: [{ ServerSideEncryptionByDefault: { SSEAlgorithm: 'AES256' } }],
        },
        PublicAccessBlockConfiguration: {
          BlockPublicAcls: true,
          BlockPublicPolicy: true,
          IgnorePublicAcls: true,
          RestrictPublicBuckets: true,
        },
        OwnershipControls: { Rules: [{ ObjectOwnership: 'BucketOwnerEnforced' }] },
        Tags: [TAG],
      },
    },
    SamCliSourceBucketBucketPolicy: {
      Type: 'AWS::S3::BucketPolicy',
      Properties: { Bucket: { Ref: 'SamCliSourceBucket' }, PolicyDocument: POLICY },
    },
  },
  Outputs: { [OUTPUT]: { Value: { Ref: 'SamCliSourceBucket' } } },
};

/** Opens a bucket that exists. @throws OperatorError 'bucket-unusable' */
export async function openBucket(deployer: Deployer, bucket: string, owner: string): Promise<ObjectStore> {
  const { client, signal } = deployer;
  const options = { bucket, owner, signal };
  const status = await bucketStatus(client, options);
  const fail = (reason: string, remedy: string) => new OperatorError('bucket-unusable', { bucket, reason, remedy });
  if (status === 'missing')
    throw fail('it does not exist', 'Create it, or leave out --s3-bucket: Lamella makes one then.');
  if (status === 'forbidden') {
    throw fail(
      `the account ${owner} does not own it, or the keys may not use it`,
      'Choose a bucket of this account, or name the account that owns it with --s3-bucket-owner.',
    );
  }
  if (typeof status === 'object') {
    throw fail(
      `it is in ${status.region}, and the stack is in ${client.target.region}`,
      'Choose a bucket in the region of the stack, or another --region.',
    );
  }
  return openStore(client, options);
}

/** The name of the managed bucket; undefined if it does not exist. @throws OperatorError 'bucket-unusable' */
export async function findManagedBucket({ stacks, signal }: Deployer): Promise<string | undefined> {
  signal?.throwIfAborted();
  const stack = await stacks.describe(MANAGED_STACK);
  if (stack === undefined || stack.status === 'REVIEW_IN_PROGRESS' || stack.status === 'DELETE_COMPLETE')
    return undefined;
  return bucketOf(stack);
}

/** Makes the managed bucket, or continues what another deployment has begun. Returns its name. */
export async function makeManagedBucket(deployer: Deployer): Promise<string> {
  const stack = await runStack(deployer, {
    stackName: MANAGED_STACK,
    input: { TemplateBody: JSON.stringify(TEMPLATE), Tags: [TAG], Capabilities: ['CAPABILITY_IAM'] },
  });
  const bucket = bucketOf(stack);
  if (bucket === undefined) throw managedFailure(stack);
  return bucket;
}

function bucketOf(stack: StackDescription): string | undefined {
  if (stack.status.endsWith('_IN_PROGRESS')) return undefined;
  const bucket = stack.outputs.find(({ key }) => key === OUTPUT)?.value;
  // As SAM does: a stack of the same name that somebody else has made is not used.
  if (bucket === undefined || stack.tags.get(TAG.Key) !== TAG.Value) throw managedFailure(stack);
  return bucket;
}

function managedFailure({ status, name }: StackDescription): OperatorError {
  return new OperatorError('bucket-unusable', {
    bucket: `of the stack ${name}`,
    reason: `the stack is in ${status} and has no output ${OUTPUT} of SAM`,
    remedy: `Delete the stack (lamella destroy --stack-name ${name}), or name a bucket with --s3-bucket.`,
  });
}
