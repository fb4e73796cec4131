/** Parameter Store with AWS's SDK. */
import * as sdk from '@aws-sdk/client-ssm';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type RunningApis, startApis, TEST_ACCOUNT, TEST_CREDENTIALS } from '../../../test/support/running-apis.ts';

const ARN = `arn:aws:ssm:us-east-1:${TEST_ACCOUNT}:parameter`;

let apis: RunningApis;
let client: sdk.SSMClient;

beforeAll(async () => {
  apis = await startApis();
  client = new sdk.SSMClient({
    endpoint: apis.url,
    region: 'us-east-1',
    credentials: TEST_CREDENTIALS,
    maxAttempts: 1,
  });
});
afterAll(async () => {
  client.destroy();
  await apis.close();
});

const put = (Name: string, Value: string, more: Partial<sdk.PutParameterCommandInput> = {}) =>
  client.send(new sdk.PutParameterCommand({ Name, Value, Type: 'String', ...more }));
const get = async (Name: string, WithDecryption?: boolean) =>
  (await client.send(new sdk.GetParameterCommand({ Name, WithDecryption }))).Parameter;
const refusal = (promise: Promise<unknown>) =>
  promise.then(
    () => expect.unreachable(),
    (error: sdk.SSMServiceException) => ({ name: error.name, message: error.message }),
  );

describe('parameters', () => {
  it('can be written once, overwritten, and read by name, ARN and version', async () => {
    expect(await put('/app/greeting', 'hello')).toMatchObject({ Version: 1, Tier: 'Standard' });
    expect(await refusal(put('/app/greeting', 'hi'))).toEqual({
      name: 'ParameterAlreadyExists',
      message:
        'The parameter already exists. To overwrite this value, set the overwrite option in the request to true.',
    });
    expect(await put('/app/greeting', 'hi', { Overwrite: true, Type: undefined })).toMatchObject({ Version: 2 });
    expect(await get('/app/greeting')).toEqual({
      Name: '/app/greeting',
      Type: 'String',
      Value: 'hi',
      Version: 2,
      LastModifiedDate: expect.any(Date),
      ARN: `${ARN}/app/greeting`,
      DataType: 'text',
    });
    expect(await get(`${ARN}/app/greeting`)).toMatchObject({ Name: '/app/greeting', Value: 'hi' });
    expect(await get('/app/greeting:1')).toMatchObject({ Value: 'hello', Version: 1, Selector: ':1' });
    expect(await refusal(get('/app/greeting:9'))).toEqual({
      name: 'ParameterVersionNotFound',
      message: 'Systems Manager could not find version 9 of /app/greeting. Verify the version and try again.',
    });
    expect((await refusal(get('/app/farewell'))).name).toBe('ParameterNotFound');
  });

  it('have one ARN whether or not a single level begins with a slash', async () => {
    await put('plain', '1');
    await put('/slashed', '2');
    expect(await get(`${ARN}/plain`)).toMatchObject({ Name: 'plain', Value: '1' });
    expect(await get(`${ARN}/slashed`)).toMatchObject({ Name: '/slashed', Value: '2' });
  });

  it('of type SecureString show their text only with decryption', async () => {
    await put('/app/password', 's3cret', { Type: 'SecureString' });
    expect(await get('/app/password', true)).toMatchObject({ Value: 's3cret', Type: 'SecureString' });
    const sealed = (await get('/app/password'))?.Value;
    expect(sealed).not.toContain('s3cret');
    expect(Buffer.from(String(sealed), 'base64').toString()).not.toContain('s3cret');
  });

  it('are found by path, page by page', async () => {
    for (const name of ['a', 'b', 'c', 'deep/d']) await put(`/tree/${name}`, name);
    const read = async (Recursive: boolean, MaxResults: number) => {
      const names: (string | undefined)[] = [];
      const pages = sdk.paginateGetParametersByPath({ client }, { Path: '/tree', Recursive, MaxResults });
      for await (const { Parameters = [] } of pages) names.push(...Parameters.map(({ Name }) => Name));
      return names;
    };
    expect(await read(false, 2)).toEqual(['/tree/a', '/tree/b', '/tree/c']);
    expect(await read(true, 10)).toEqual(['/tree/a', '/tree/b', '/tree/c', '/tree/deep/d']);
    const { Parameters, InvalidParameters } = await client.send(
      new sdk.GetParametersCommand({ Names: ['/tree/a', '/tree/x', '/tree/b:7'] }),
    );
    expect(Parameters?.map(({ Value }) => Value)).toEqual(['a']);
    expect(InvalidParameters).toEqual(['/tree/x', '/tree/b:7']);
  });

  it('can be described with filters, labeled, tagged and deleted', async () => {
    await put('/meta/one', '1', { Description: 'first', Tags: [{ Key: 'team', Value: 'a' }] });
    await put('/meta/two', '2', { Type: 'StringList' });
    const describe = async (...ParameterFilters: sdk.ParameterStringFilter[]) =>
      (await client.send(new sdk.DescribeParametersCommand({ ParameterFilters }))).Parameters?.map(({ Name }) => Name);
    expect(await describe({ Key: 'Path', Option: 'Recursive', Values: ['/meta'] })).toEqual(['/meta/one', '/meta/two']);
    expect(await describe({ Key: 'tag:team', Values: ['a'] })).toEqual(['/meta/one']);
    expect(await describe({ Key: 'Type', Values: ['StringList'] })).toEqual(['/meta/two']);
    expect(await describe({ Key: 'Name', Option: 'Contains', Values: ['eta/t'] })).toEqual(['/meta/two']);

    await put('/meta/one', '1b', { Overwrite: true });
    await client.send(
      new sdk.LabelParameterVersionCommand({ Name: '/meta/one', ParameterVersion: 1, Labels: ['old'] }),
    );
    expect(await get('/meta/one:old')).toMatchObject({ Value: '1', Selector: ':old' });
    await client.send(new sdk.LabelParameterVersionCommand({ Name: '/meta/one', Labels: ['old'] }));
    expect(await get('/meta/one:old')).toMatchObject({ Value: '1b' });
    const { Parameters: history } = await client.send(new sdk.GetParameterHistoryCommand({ Name: '/meta/one' }));
    expect(history?.map(({ Value, Labels, Description }) => [Value, Labels, Description])).toEqual([
      ['1', [], 'first'],
      ['1b', ['old'], 'first'],
    ]);

    const resource = { ResourceType: 'Parameter', ResourceId: '/meta/one' } as const;
    await client.send(new sdk.AddTagsToResourceCommand({ ...resource, Tags: [{ Key: 'tier', Value: 'x' }] }));
    await client.send(new sdk.RemoveTagsFromResourceCommand({ ...resource, TagKeys: ['team'] }));
    expect((await client.send(new sdk.ListTagsForResourceCommand(resource))).TagList).toEqual([
      { Key: 'tier', Value: 'x' },
    ]);
    const deleted = await client.send(new sdk.DeleteParametersCommand({ Names: ['/meta/one', '/meta/none'] }));
    expect(deleted).toMatchObject({ DeletedParameters: ['/meta/one'], InvalidParameters: ['/meta/none'] });
    expect((await refusal(client.send(new sdk.ListTagsForResourceCommand(resource)))).name).toBe('InvalidResourceId');
  });

  it.each<[string, string, Partial<sdk.PutParameterCommandInput>, string]>([
    ['no/slash', 'x', {}, 'ValidationException'],
    ['/aws/mine', 'x', {}, 'AccessDeniedException'],
    ['ssm-mine', 'x', {}, 'ValidationException'],
    ['/with space', 'x', {}, 'ValidationException'],
    [`${'/x'.repeat(16)}`, 'x', {}, 'HierarchyLevelLimitExceededException'],
    ['/long', 'x'.repeat(4097), {}, 'ValidationException'],
    ['/untyped', 'x', { Type: undefined }, 'ValidationException'],
    ['/pattern', 'x', { AllowedPattern: '^\\d+$' }, 'ParameterPatternMismatchException'],
    ['/pattern', 'x', { AllowedPattern: '(' }, 'InvalidAllowedPatternException'],
  ])('named %s are refused', async (name, value, more, code) => {
    expect((await refusal(put(name, value, more))).name).toBe(code);
  });

  it('of the advanced tier hold up to 8 KiB', async () => {
    expect(await put('/large', 'x'.repeat(8192), { Tier: 'Intelligent-Tiering' })).toMatchObject({ Tier: 'Advanced' });
    expect((await refusal(put('/larger', 'x'.repeat(8193), { Tier: 'Advanced' }))).name).toBe('ValidationException');
  });
});
