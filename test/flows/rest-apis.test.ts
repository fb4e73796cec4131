/** REST APIs of API Gateway: AWS's SDK, resource providers, and real requests to a real function through the gateways. */
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as sdk from '@aws-sdk/client-api-gateway';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { REST_API_PROVIDERS } from '../../src/stacks/providers/apigateway/rest-api.ts';
import type { Properties } from '../../src/stacks/providers/provider.ts';
import { transformSam } from '../../src/template/sam/transform.ts';
import { shellRuntime } from '../support/function-zip.ts';
import { requestHost } from '../support/host-request.ts';
import { providerContext, providerOf } from '../support/provider-context.ts';
import { TEST_CREDENTIALS } from '../support/running-apis.ts';
import { type RunningService, startService } from '../support/running-service.ts';

const uriOf = (name: string) =>
  `arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/arn:aws:lambda:us-east-1:123456789012:function:${name}/invocations`;

let dataDir: string;
let service: RunningService;
let client: sdk.APIGatewayClient;

async function open(): Promise<void> {
  service = await startService({ ephemeral: false, dataDir });
  client = new sdk.APIGatewayClient({
    endpoint: service.url,
    region: 'us-east-1',
    credentials: TEST_CREDENTIALS,
    maxAttempts: 1,
  });
}
async function close(): Promise<void> {
  client.destroy();
  await service.close();
}

beforeAll(async () => {
  dataDir = mkdtempSync(join(tmpdir(), 'lamella-rest-'));
  await open();
  // A complete response, with the event as its body.
  const wrap = `BODY=$(printf '%s' "$EVENT" | base64 -w0)
    respond '{"statusCode":200,"body":"'"$BODY"'"}'`;
  await service.createFunction('wrap', { bootstrap: shellRuntime(wrap) });
  const policy =
    '{"principalId":"me","policyDocument":{"Version":"2012-10-17","Statement":[{"Action":"execute-api:Invoke","Effect":"Allow","Resource":"*"}]}}';
  await service.createFunction('allow', { bootstrap: shellRuntime(`respond '${policy}'`) });
}, 60_000);
afterAll(async () => {
  await close();
  rmSync(dataDir, { recursive: true });
});

const request = (apiId: string, path: string, options: Parameters<typeof requestHost>[3] = {}) =>
  requestHost(service.lamella.http.url, `${apiId}.execute-api.us-east-1.amazonaws.com`, path, options);
const eventOf = ({ text }: { readonly text: string }) => JSON.parse(Buffer.from(text, 'base64').toString());
const refusal = (promise: Promise<unknown>) =>
  promise.then(
    () => expect.unreachable(),
    (error: Error) => ({ name: error.name, message: error.message }),
  );

/** An API with its root resource. */
async function createApi(name: string) {
  const api = await client.send(new sdk.CreateRestApiCommand({ name }));
  return { restApiId: api.id ?? '', rootId: api.rootResourceId ?? '' };
}
async function createResource(restApiId: string, parentId: string, pathPart: string): Promise<string> {
  const resource = await client.send(new sdk.CreateResourceCommand({ restApiId, parentId, pathPart }));
  return resource.id ?? '';
}
async function putMethod(
  address: { restApiId: string; resourceId: string; httpMethod: string },
  integration: Omit<sdk.PutIntegrationCommandInput, 'restApiId' | 'resourceId' | 'httpMethod'>,
  more: Partial<sdk.PutMethodCommandInput> = {},
) {
  await client.send(new sdk.PutMethodCommand({ ...address, authorizationType: 'NONE', ...more }));
  await client.send(new sdk.PutIntegrationCommand({ ...address, ...integration }));
}
const deploy = (restApiId: string, stageName: string, variables?: Record<string, string>) =>
  client.send(new sdk.CreateDeploymentCommand({ restApiId, stageName, variables }));

describe('a REST API', () => {
  it('serves its methods once they are deployed, and as they were then', async () => {
    const { restApiId, rootId } = await createApi('shop');
    expect(await refusal(deploy(restApiId, 'prod'))).toEqual({
      name: 'BadRequestException',
      message: "The REST API doesn't contain any methods",
    });
    const items = await createResource(restApiId, rootId, 'items');
    const resourceId = await createResource(restApiId, items, '{id}');
    await putMethod(
      { restApiId, resourceId, httpMethod: 'GET' },
      { type: 'AWS_PROXY', integrationHttpMethod: 'POST', uri: uriOf(`$${'{stageVariables.fn}'}`) },
    );
    expect((await request(restApiId, '/prod/items/7')).text).toContain('is not this service');
    const { id: first = '' } = await deploy(restApiId, 'prod', { fn: 'wrap' });
    const event = eventOf(await request(restApiId, '/prod/items/7?a=1'));
    expect(event).toMatchObject({
      resource: '/items/{id}',
      path: '/items/7',
      pathParameters: { id: '7' },
      stageVariables: { fn: 'wrap' },
      requestContext: { apiId: restApiId, stage: 'prod', path: '/prod/items/7' },
    });

    await client.send(new sdk.DeleteMethodCommand({ restApiId, resourceId, httpMethod: 'GET' }));
    await putMethod({ restApiId, resourceId: items, httpMethod: 'POST' }, { type: 'MOCK' });
    expect((await request(restApiId, '/prod/items/7')).status).toBe(200);
    await deploy(restApiId, 'prod');
    expect((await request(restApiId, '/prod/items/7')).status).toBe(403);
    await client.send(
      new sdk.UpdateStageCommand({
        restApiId,
        stageName: 'prod',
        patchOperations: [{ op: 'replace', path: '/deploymentId', value: first }],
      }),
    );
    expect((await request(restApiId, '/prod/items/7')).status).toBe(200);
    expect((await request(restApiId, '/dev/items/7')).status).toBe(403);
    const { items: listed = [] } = await client.send(new sdk.GetRestApisCommand({}));
    expect(listed.map(({ name }) => name)).toContain('shop');
  });

  it('refuses mapping templates and integrations that do not act, by their names', async () => {
    const { restApiId, rootId: resourceId } = await createApi('refused');
    const address = { restApiId, resourceId, httpMethod: 'GET' };
    await client.send(new sdk.PutMethodCommand({ ...address, authorizationType: 'NONE' }));
    const put = (integration: Omit<sdk.PutIntegrationCommandInput, keyof typeof address>) =>
      refusal(client.send(new sdk.PutIntegrationCommand({ ...address, ...integration })));
    const templates = { 'application/json': '{"statusCode": $input.params("code")}' };
    expect(await put({ type: 'MOCK', requestTemplates: templates })).toEqual({
      name: 'BadRequestException',
      message: 'Lamella does not support the mapping template "application/json" of a mock integration: use constants.',
    });
    expect((await put({ type: 'AWS', uri: uriOf('wrap') })).message).toBe(
      'Lamella does not support integrations of the type AWS: use AWS_PROXY with a Lambda function, HTTP_PROXY or MOCK.',
    );
    await client.send(new sdk.PutIntegrationCommand({ ...address, type: 'MOCK' }));
    const response = { ...address, statusCode: '200' };
    const responseParameters = { 'method.response.header.X-Id': 'context.requestId' };
    expect(
      await refusal(client.send(new sdk.PutIntegrationResponseCommand({ ...response, responseParameters }))),
    ).toMatchObject({ message: expect.stringContaining('"method.response.header.X-Id"') });
  });

  it('passes requests on to another server, with its path parameters', async () => {
    const server = createServer((received, response) => {
      response.setHeader('x-server', 'yes').end(`${received.method} ${received.url} ${received.headers['x-mine']}`);
    });
    await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
    try {
      const { restApiId, rootId } = await createApi('proxy');
      const resourceId = await createResource(restApiId, rootId, '{proxy+}');
      const uri = `http://127.0.0.1:${(server.address() as AddressInfo).port}/base/{path}`;
      await putMethod(
        { restApiId, resourceId, httpMethod: 'ANY' },
        {
          type: 'HTTP_PROXY',
          integrationHttpMethod: 'ANY',
          uri,
          requestParameters: { 'integration.request.path.path': 'method.request.path.proxy' },
        },
      );
      await deploy(restApiId, 'prod');
      const response = await request(restApiId, '/prod/a/b%20c?q=1', { method: 'PUT', headers: { 'x-mine': 'kept' } });
      expect(response.text).toBe('PUT /base/a/b%20c?q=1 kept');
      expect(response.headers['x-server']).toBe('yes');
      // A client cannot leave the path of the integration.
      expect((await request(restApiId, '/prod/a/..%2F..%2Fsecret')).status).toBe(502);
    } finally {
      await new Promise((resolve) => server.close(resolve));
    }
  });

  it('asks its authorizers', async () => {
    const { restApiId, rootId: resourceId } = await createApi('private');
    const { id: authorizerId } = await client.send(
      new sdk.CreateAuthorizerCommand({
        restApiId,
        name: 'token',
        type: 'TOKEN',
        authorizerUri: uriOf('allow'),
        identitySource: 'method.request.header.Authorization',
      }),
    );
    await putMethod(
      { restApiId, resourceId, httpMethod: 'GET' },
      { type: 'AWS_PROXY', uri: uriOf('wrap') },
      { authorizationType: 'CUSTOM', authorizerId },
    );
    await deploy(restApiId, 'prod');
    expect((await request(restApiId, '/prod')).status).toBe(401);
    const allowed = await request(restApiId, '/prod', { headers: { Authorization: 'secret' } });
    expect(eventOf(allowed)).toMatchObject({ requestContext: { authorizer: { principalId: 'me' } } });
  });

  it('needs the API key of a usage plan where a method says so, and replaces its errors', async () => {
    const { restApiId, rootId } = await createApi('keyed');
    const uri = uriOf('wrap');
    const proxy = { type: 'AWS_PROXY', integrationHttpMethod: 'POST', uri } as const;
    const method = { restApiId, resourceId: rootId, httpMethod: 'GET' };
    await putMethod(method, proxy, { apiKeyRequired: true });
    await client.send(
      new sdk.PutGatewayResponseCommand({
        restApiId,
        responseType: 'DEFAULT_4XX',
        responseParameters: {
          'gatewayresponse.header.Access-Control-Allow-Origin': "'*'",
          'gatewayresponse.header.X-Asked': 'method.request.header.x-asked',
        },
        responseTemplates: { 'application/json': '{"why":$context.error.messageString,"of":"$context.stage"}' },
      }),
    );
    const responseType = 'MISSING_AUTHENTICATION_TOKEN';
    await client.send(new sdk.PutGatewayResponseCommand({ restApiId, responseType, statusCode: '404' }));
    await deploy(restApiId, 'prod');
    const forbidden = await request(restApiId, '/prod/', { headers: { 'x-asked': 'yes' } });
    expect([forbidden.status, JSON.parse(forbidden.text)]).toEqual([403, { why: 'Forbidden', of: 'prod' }]);
    expect(forbidden.headers).toMatchObject({ 'access-control-allow-origin': '*', 'x-asked': 'yes' });
    expect((await request(restApiId, '/prod/nothing')).status).toBe(404);

    const { id: keyId = '', value = '' } = await client.send(new sdk.CreateApiKeyCommand({ name: 'k', enabled: true }));
    const plan = await client.send(
      new sdk.CreateUsagePlanCommand({ name: 'p', apiStages: [{ apiId: restApiId, stage: 'prod' }] }),
    );
    const usagePlanId = plan.id ?? '';
    const withKey = (key: string) => request(restApiId, '/prod/', { headers: { 'x-api-key': key } });
    expect((await withKey(value)).status).toBe(403);
    await client.send(new sdk.CreateUsagePlanKeyCommand({ usagePlanId, keyId, keyType: 'API_KEY' }));
    expect((await withKey('wrong')).status).toBe(403);
    const { requestContext } = eventOf(await withKey(value));
    expect(requestContext.identity).toMatchObject({ apiKey: value, apiKeyId: keyId });
    const disable = [{ op: 'replace', path: '/enabled', value: 'false' }] as const;
    await client.send(new sdk.UpdateApiKeyCommand({ apiKey: keyId, patchOperations: [...disable] }));
    expect((await withKey(value)).status).toBe(403);

    const bad = {
      restApiId,
      responseType: 'DEFAULT_5XX',
      responseTemplates: { 'application/json': '#set($a = 1)' },
    } as const;
    expect((await refusal(client.send(new sdk.PutGatewayResponseCommand(bad)))).message).toBe(
      'Lamella does not support #set in the template of a gateway response.',
    );
  });

  it('is there after a restart', async () => {
    const { restApiId, rootId: resourceId } = await createApi('lasting');
    await putMethod({ restApiId, resourceId, httpMethod: 'GET' }, { type: 'AWS_PROXY', uri: uriOf('wrap') });
    await deploy(restApiId, 'prod');
    await close();
    await open();
    expect(eventOf(await request(restApiId, '/prod'))).toMatchObject({ requestContext: { apiId: restApiId } });
  });
});

describe('the resources of a template', () => {
  const make = async (type: string, properties: Properties) => {
    const context = providerContext({ apigateway: { client: client as never, sdk } }, type);
    const provider = providerOf(REST_API_PROVIDERS, type);
    return { ...(await provider.create(properties, context)), properties, provider, context };
  };
  type Made = Awaited<ReturnType<typeof make>>;
  const remove = ({ provider, context, ...existing }: Made) => provider.delete(existing, context);

  /** The resources of the implicit API of a function, with the function's ARN filled in. */
  function samApi(path: string) {
    const { Resources } = transformSam(
      {
        Transform: 'AWS::Serverless-2016-10-31',
        Globals: { Api: { Cors: "'https://shop.example'" } },
        Resources: {
          Wrap: {
            Type: 'AWS::Serverless::Function',
            Properties: {
              Runtime: 'provided.al2023',
              Handler: 'x',
              CodeUri: 's3://bucket/key.zip',
              Events: { Api: { Type: 'Api', Properties: { Path: path, Method: 'get' } } },
            },
          },
        },
      },
      { region: 'us-east-1', parameters: {} },
    );
    const text = JSON.stringify(Resources)
      .replace(/\{"Fn::Sub":"[^"]*invocations"\}/g, JSON.stringify(uriOf('wrap')))
      .replaceAll('{"Ref":"AWS::StackName"}', '"shop"');
    const resources = Object.entries(JSON.parse(text) as Record<string, { Type: string; Properties: Properties }>);
    return (type: string): Properties => resources.find(([, { Type }]) => Type === type)?.[1].Properties ?? {};
  }

  it('make the implicit API of a SAM template with its CORS, change it in place and delete it', async () => {
    const samBefore = samApi('/hello');
    const api = await make('AWS::ApiGateway::RestApi', samBefore('AWS::ApiGateway::RestApi'));
    const RestApiId = api.physicalId;
    expect(api.attributes).toMatchObject({ RestApiId, RootResourceId: expect.stringMatching(/^[a-z0-9]{10}$/) });
    const deployment = await make('AWS::ApiGateway::Deployment', {
      ...samBefore('AWS::ApiGateway::Deployment'),
      RestApiId,
    });
    const stage = await make('AWS::ApiGateway::Stage', {
      ...samBefore('AWS::ApiGateway::Stage'),
      RestApiId,
      DeploymentId: deployment.physicalId,
    });
    expect(stage.physicalId).toBe('Prod');
    expect(eventOf(await request(RestApiId, '/Prod/hello'))).toMatchObject({ resource: '/hello' });
    const preflight = await request(RestApiId, '/Prod/hello', { method: 'OPTIONS' });
    expect(preflight).toMatchObject({ status: 200, text: '{}\n' });
    expect(preflight.headers['access-control-allow-origin']).toBe('https://shop.example');
    expect(preflight.headers['access-control-allow-methods']).toBe('GET,OPTIONS');

    const samAfter = samApi('/goodbye');
    await api.provider.update?.(api, samAfter('AWS::ApiGateway::RestApi'), api.context);
    const next = await make('AWS::ApiGateway::Deployment', { ...samAfter('AWS::ApiGateway::Deployment'), RestApiId });
    const moved = { ...stage.properties, DeploymentId: next.physicalId };
    await stage.provider.update?.(stage, moved, stage.context);
    await remove(deployment);
    expect((await request(RestApiId, '/Prod/hello')).status).toBe(403);
    expect((await request(RestApiId, '/Prod/goodbye')).status).toBe(200);

    for (const made of [{ ...stage, properties: moved }, next, api, api]) await remove(made);
    expect((await request(RestApiId, '/Prod/goodbye')).text).toContain('is not this service');
  });

  it('make an API of resources and methods with everything around it', async () => {
    const api = await make('AWS::ApiGateway::RestApi', { Name: 'parts', BinaryMediaTypes: ['image/*'] });
    const RestApiId = api.physicalId;
    const resource = await make('AWS::ApiGateway::Resource', {
      RestApiId,
      ParentId: api.attributes.RootResourceId ?? '',
      PathPart: 'fixed',
    });
    const address = { RestApiId, ResourceId: resource.physicalId };
    const method = await make('AWS::ApiGateway::Method', {
      ...address,
      HttpMethod: 'GET',
      AuthorizationType: 'NONE',
      MethodResponses: [{ StatusCode: '201' }],
      Integration: {
        Type: 'MOCK',
        RequestTemplates: { 'application/json': '{"statusCode": 201}' },
        IntegrationResponses: [
          { StatusCode: '201', ResponseTemplates: { 'text/plain': 'made' }, SelectionPattern: '2..' },
          { StatusCode: '500' },
        ],
      },
    });
    const deployment = await make('AWS::ApiGateway::Deployment', { RestApiId, StageName: 'dev' });
    expect(await request(RestApiId, '/dev/fixed')).toMatchObject({ status: 201, text: 'made' });

    const key = await make('AWS::ApiGateway::ApiKey', { Name: 'partner', Enabled: true });
    const plan = await make('AWS::ApiGateway::UsagePlan', {
      UsagePlanName: 'partners',
      ApiStages: [{ ApiId: RestApiId, Stage: 'dev' }],
    });
    const others = [
      await make('AWS::ApiGateway::UsagePlanKey', {
        KeyId: key.physicalId,
        KeyType: 'API_KEY',
        UsagePlanId: plan.physicalId,
      }),
      await make('AWS::ApiGateway::GatewayResponse', { RestApiId, ResponseType: 'DEFAULT_4XX' }),
      await make('AWS::ApiGateway::Model', { RestApiId, Name: 'Item', Schema: { type: 'object' } }),
      await make('AWS::ApiGateway::RequestValidator', { RestApiId, ValidateRequestBody: true }),
      await make('AWS::ApiGateway::Account', { CloudWatchRoleArn: 'arn:aws:iam::123456789012:role/logs' }),
    ];
    const domain = await make('AWS::ApiGateway::DomainName', { DomainName: 'rest.shop.example' });
    const mapping = await make('AWS::ApiGateway::BasePathMapping', {
      DomainName: domain.physicalId,
      BasePath: 'v1',
      RestApiId,
      Stage: 'dev',
    });
    expect((await requestHost(service.lamella.http.url, 'rest.shop.example', '/v1/fixed')).status).toBe(201);
    expect(await client.send(new sdk.GetAccountCommand({}))).toMatchObject({
      cloudwatchRoleArn: 'arn:aws:iam::123456789012:role/logs',
    });
    for (const made of [mapping, domain, ...others, plan, key, deployment, method, resource, api]) await remove(made);
    expect((await client.send(new sdk.GetRestApisCommand({}))).items?.map(({ id }) => id)).not.toContain(RestApiId);
  });
});
