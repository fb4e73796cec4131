/** Code and layers in a bucket of this service, where deployment tools put them. */
import {
  CreateFunctionCommand,
  InvokeCommand,
  PublishLayerVersionCommand,
  UpdateFunctionCodeCommand,
} from '@aws-sdk/client-lambda';
import { CreateBucketCommand, PutBucketVersioningCommand, PutObjectCommand, S3Client } from '@aws-sdk/client-s3';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { shellRuntime, zipOf } from '../support/function-zip.ts';
import { type RunningService, startService } from '../support/running-service.ts';

let service: RunningService;
let s3: S3Client;

beforeAll(async () => {
  service = await startService();
  s3 = new S3Client({
    endpoint: service.url,
    region: 'us-east-1',
    forcePathStyle: true,
    credentials: { accessKeyId: 'AKIAIOSFODNN7EXAMPLE', secretAccessKey: 'secret' },
  });
  await s3.send(new CreateBucketCommand({ Bucket: 'code' }));
  await s3.send(new PutBucketVersioningCommand({ Bucket: 'code', VersioningConfiguration: { Status: 'Enabled' } }));
});
afterAll(async () => {
  s3.destroy();
  await service.close();
});

async function put(Key: string, response: string): Promise<string | undefined> {
  const Body = await zipOf({ bootstrap: shellRuntime(`respond '"${response}"'`) });
  return (await s3.send(new PutObjectCommand({ Bucket: 'code', Key, Body }))).VersionId;
}

async function responseOf(FunctionName: string): Promise<unknown> {
  const { Payload } = await service.client.send(new InvokeCommand({ FunctionName }));
  return JSON.parse(Buffer.from(Payload ?? []).toString());
}

const common = { Role: 'arn:aws:iam::123456789012:role/r', Runtime: 'provided.al2023', Handler: 'h' } as const;

describe('code in a bucket', () => {
  it('runs, also an older version of the object, and after an update', async () => {
    const older = await put('app.zip', 'older');
    await put('app.zip', 'newer');
    await service.client.send(
      new CreateFunctionCommand({ ...common, FunctionName: 'newest', Code: { S3Bucket: 'code', S3Key: 'app.zip' } }),
    );
    expect(await responseOf('newest')).toBe('newer');
    await service.client.send(
      new UpdateFunctionCodeCommand({
        FunctionName: 'newest',
        S3Bucket: 'code',
        S3Key: 'app.zip',
        S3ObjectVersion: older,
      }),
    );
    expect(await responseOf('newest')).toBe('older');
  });

  it('can be a layer', async () => {
    await put('layers/runtime.zip', 'from the layer');
    const layer = await service.client.send(
      new PublishLayerVersionCommand({
        LayerName: 'from-bucket',
        Content: { S3Bucket: 'code', S3Key: 'layers/runtime.zip' },
      }),
    );
    await service.client.send(
      new CreateFunctionCommand({
        ...common,
        FunctionName: 'layered',
        Layers: [layer.LayerVersionArn ?? ''],
        Code: { ZipFile: await zipOf({ 'handler.txt': 'nothing' }) },
      }),
    );
    expect(await responseOf('layered')).toBe('from the layer');
  });

  // Recorded on AWS.
  it('is rejected if it does not exist', async () => {
    const create = (S3Bucket: string, S3Key: string) =>
      service.client.send(new CreateFunctionCommand({ ...common, FunctionName: 'none', Code: { S3Bucket, S3Key } }));
    await expect(create('no-such-bucket', 'app.zip')).rejects.toMatchObject({
      name: 'InvalidParameterValueException',
      message:
        'Error occurred while GetObject. S3 Error Code: NoSuchBucket. S3 Error Message: The specified bucket does not exist',
    });
    await expect(create('code', 'no-such-key')).rejects.toMatchObject({
      name: 'InvalidParameterValueException',
      message:
        'Error occurred while GetObject. S3 Error Code: NoSuchKey. S3 Error Message: The specified key does not exist.',
    });
  });
});
