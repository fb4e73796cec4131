/** ECR's API, by the JSON that its clients send. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type RunningApis, startApis, TEST_ACCOUNT } from '../../../test/support/running-apis.ts';

let apis: RunningApis;

beforeAll(async () => {
  apis = await startApis();
});
afterAll(() => apis.close());

async function call(operation: string, input: object) {
  const response = await fetch(apis.url, {
    method: 'POST',
    headers: { 'X-Amz-Target': `AmazonEC2ContainerRegistry_V20150921.${operation}` },
    body: JSON.stringify(input),
  });
  return { status: response.status, ...JSON.parse(await response.text()) };
}

it('no repository exists, and a repository that is asked for by name is reported as missing', async () => {
  expect(await call('DescribeRepositories', {})).toEqual({ status: 200, repositories: [] });
  expect(await call('DescribeRepositories', { repositoryNames: ['serverless-hello-dev'] })).toEqual({
    status: 400,
    __type: 'RepositoryNotFoundException',
    message: `The repository with name 'serverless-hello-dev' does not exist in the registry with id '${TEST_ACCOUNT}'`,
  });
});

it('names of repositories are checked, and other operations are refused by name', async () => {
  expect(await call('DescribeRepositories', { repositoryNames: ['Upper'] })).toMatchObject({
    status: 400,
    __type: 'ValidationException',
  });
  expect(await call('CreateRepository', { repositoryName: 'hello' })).toMatchObject({
    status: 400,
    message: "Lamella does not support the ECR operation 'CreateRepository'.",
  });
});
