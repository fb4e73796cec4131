/** HTTP APIs of API Gateway: AWS's SDK, resource providers, and real requests to a real function through the gateways. */
import * as sdk from '@aws-sdk/client-apigatewayv2';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { HTTP_API_PROVIDERS } from '../../src/stacks/providers/apigateway/http-api.ts';
import type { Properties } from '../../src/stacks/providers/provider.ts';
import { transformSam } from '../../src/template/sam/transform.ts';
import { shellRuntime } from '../support/function-zip.ts';
import { requestHost } from '../support/host-request.ts';
import { providerContext, providerOf } from '../support/provider-context.ts';
import { TEST_CREDENTIALS } from '../support/running-apis.ts';
import { type RunningService, startService } from '../support/running-service.ts';

const uriOf = (name: string) =>
  `arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/arn:aws:lambda:us-east-1:123456789012:function:${name}/invocations`;

let service: RunningService;
let client: sdk.ApiGatewayV2Client;

beforeAll(async () => {
  service = await startService();
  await service.createFunction('echo', { bootstrap: shellRuntime('respond "$EVENT"') });
  client = new sdk.ApiGatewayV2Client({
    endpoint: service.url,
    region: 'us-east-1',
    credentials: TEST_CREDENTIALS,
    maxAttempts: 1,
  });
}, 60_000);
afterAll(async () => {
  client.destroy();
  await service.close();
});

const integration = (version = '2.0') => ({
  'x-amazon-apigateway-integration': {
    type: 'aws_proxy',
    httpMethod: 'POST',
    uri: uriOf('echo'),
    payloadFormatVersion: version,
  },
});
const importApi = (document: object) =>
  client.send(new sdk.ImportApiCommand({ Body: JSON.stringify({ openapi: '3.0.1', ...document }) }));
const createStage = (ApiId: string, more: Partial<sdk.CreateStageCommandInput> = {}) =>
  client.send(new sdk.CreateStageCommand({ ApiId, StageName: '$default', AutoDeploy: true, ...more }));
/** Sends a request to the HTTP port for the API's own address. */
const request = (apiId: string, path: string, options: Parameters<typeof requestHost>[3] = {}) =>
  requestHost(service.lamella.http.url, `${apiId}.execute-api.us-east-1.localhost`, path, options);
const refusal = (promise: Promise<unknown>) =>
  promise.then(
    () => expect.unreachable(),
    (error: Error) => ({ name: error.name, message: error.message }),
  );

describe('an HTTP API from an OpenAPI document', () => {
  it('serves its routes at its endpoint as soon as it has a stage', async () => {
    const api = await importApi({
      info: { title: 'shop', version: '1.0' },
      paths: {
        '/items/{id}': { get: integration() },
        '/$default': { 'x-amazon-apigateway-any-method': integration() },
      },
    });
    expect(api).toMatchObject({ Name: 'shop', ProtocolType: 'HTTP', Version: '1.0' });
    const apiId = api.ApiId ?? '';
    const { port } = new URL(service.lamella.http.url);
    expect(api.ApiEndpoint).toBe(`http://${apiId}.execute-api.us-east-1.localhost:${port}`);
    expect((await request(apiId, '/items/7')).status).toBe(404);
    await createStage(apiId, { StageVariables: { color: 'blue' } });

    const response = await request(apiId, '/items/7?x=1');
    expect(response.status).toBe(200);
    expect(JSON.parse(response.text)).toMatchObject({
      version: '2.0',
      routeKey: 'GET /items/{id}',
      pathParameters: { id: '7' },
      stageVariables: { color: 'blue' },
      requestContext: { apiId, stage: '$default' },
    });
    expect(JSON.parse((await request(apiId, '/other')).text)).toMatchObject({ routeKey: '$default' });
    // A template writes this name into its outputs.
    const own = await requestHost(service.lamella.http.url, `${apiId}.execute-api.us-east-1.amazonaws.com`, '/items/8');
    expect(JSON.parse(own.text)).toMatchObject({ pathParameters: { id: '8' } });
    expect((await requestHost(service.lamella.http.url, 'other.amazonaws.com', '/')).status).toBe(403);
  });

  it('is refused with the reason if it is not OpenAPI 3 or has integrations that HTTP APIs do not have', async () => {
    expect(await refusal(client.send(new sdk.ImportApiCommand({ Body: '{' })))).toMatchObject({
      name: 'BadRequestException',
      message: expect.stringMatching(/^Invalid OpenAPI input: /),
    });
    const mock = { get: { 'x-amazon-apigateway-integration': { type: 'mock' } } };
    expect(await refusal(importApi({ info: { title: 'mock' }, paths: { '/': mock } }))).toEqual({
      name: 'BadRequestException',
      message: 'Integration type MOCK is not supported for HTTP APIs. Use AWS_PROXY or HTTP_PROXY.',
    });
    const { Items = [] } = await client.send(new sdk.GetApisCommand({}));
    expect(Items.map(({ Name }) => Name)).not.toContain('mock');
  });
});

describe('an HTTP API of single resources', () => {
  it('follows every change of its routes on a stage that deploys automatically, and else its deployment', async () => {
    const { ApiId = '' } = await client.send(
      new sdk.CreateApiCommand({
        Name: 'single',
        ProtocolType: 'HTTP',
        Target: 'arn:aws:lambda:us-east-1:123456789012:function:echo',
        CorsConfiguration: { AllowOrigins: ['https://shop.example'], AllowMethods: ['GET'] },
      }),
    );
    const preflight = await request(ApiId, '/', {
      method: 'OPTIONS',
      headers: { origin: 'https://shop.example', 'access-control-request-method': 'GET' },
    });
    expect(preflight.headers['access-control-allow-origin']).toBe('https://shop.example');
    expect(JSON.parse((await request(ApiId, '/a')).text)).toMatchObject({ version: '2.0', routeKey: '$default' });
    const { DeploymentId } = await client.send(new sdk.CreateDeploymentCommand({ ApiId }));
    await createStage(ApiId, { StageName: 'prod', AutoDeploy: false, DeploymentId });

    const { Items: [route] = [] } = await client.send(new sdk.GetRoutesCommand({ ApiId }));
    await client.send(new sdk.UpdateRouteCommand({ ApiId, RouteId: route?.RouteId, RouteKey: 'GET /b' }));
    expect((await request(ApiId, '/a')).status).toBe(404);
    expect((await request(ApiId, '/b')).status).toBe(200);
    expect((await request(ApiId, '/prod/a')).status).toBe(200);

    await client.send(new sdk.DeleteApiCommand({ ApiId }));
    expect((await request(ApiId, '/b')).status).toBe(404);
    expect((await refusal(client.send(new sdk.GetApiCommand({ ApiId })))).name).toBe('NotFoundException');
  });

  it('answers at a custom domain with a mapping', async () => {
    const { ApiId = '' } = await client.send(
      new sdk.CreateApiCommand({
        Name: 'mapped',
        ProtocolType: 'HTTP',
        Target: 'arn:aws:lambda:us-east-1:123456789012:function:echo',
      }),
    );
    const DomainName = 'api.shop.example';
    await client.send(new sdk.CreateDomainNameCommand({ DomainName }));
    await client.send(new sdk.CreateApiMappingCommand({ DomainName, ApiId, Stage: '$default', ApiMappingKey: 'v1' }));
    const response = await requestHost(service.lamella.http.url, DomainName, '/v1/items');
    expect(JSON.parse(response.text)).toMatchObject({ rawPath: '/items', requestContext: { domainName: DomainName } });
    await client.send(new sdk.DeleteDomainNameCommand({ DomainName }));
    expect((await requestHost(service.lamella.http.url, DomainName, '/v1/items')).status).toBe(403);
  });
});

describe('the resources of a template', () => {
  const clients = () => ({ apigatewayv2: { client: client as never, sdk } });
  const context = (type: string) => providerContext(clients(), type);
  const make = async (type: string, properties: Properties) => {
    const provider = providerOf(HTTP_API_PROVIDERS, type);
    const made = await provider.create(properties, context(type));
    return { ...made, properties, provider, context: context(type) };
  };

  it('make the implicit API of a SAM template, change it in place and delete it', async () => {
    const transformed = transformSam(
      {
        Transform: 'AWS::Serverless-2016-10-31',
        Resources: {
          Echo: {
            Type: 'AWS::Serverless::Function',
            Properties: {
              Runtime: 'provided.al2023',
              Handler: 'x',
              CodeUri: 's3://bucket/key.zip',
              Events: { Api: { Type: 'HttpApi', Properties: { Path: '/hello', Method: 'get' } } },
            },
          },
        },
      },
      { region: 'us-east-1', parameters: {} },
    );
    const text = JSON.stringify(transformed.Resources)
      .replaceAll('"Fn::Sub":', '"text":')
      .replace(/\{"text":"[^"]*invocations"\}/g, JSON.stringify(uriOf('echo')));
    const resources = JSON.parse(text) as Record<string, { Type: string; Properties: Properties }>;
    const apiProperties = resources.ServerlessHttpApi?.Properties ?? {};
    const api = await make('AWS::ApiGatewayV2::Api', apiProperties);
    expect(api.attributes).toMatchObject({
      ApiId: api.physicalId,
      ApiEndpoint: expect.stringContaining(api.physicalId),
    });
    const stageProperties = resources.ServerlessHttpApiApiGatewayDefaultStage?.Properties ?? {};
    const stage = await make('AWS::ApiGatewayV2::Stage', { ...stageProperties, ApiId: api.physicalId });
    expect(stage.physicalId).toBe('$default');
    expect(JSON.parse((await request(api.physicalId, '/hello')).text)).toMatchObject({ routeKey: 'GET /hello' });

    const body = JSON.parse(JSON.stringify(apiProperties.Body).replace('/hello', '/goodbye')) as Properties;
    const changed = await api.provider.update?.(api, { ...apiProperties, Body: body }, api.context);
    expect(changed?.physicalId).toBe(api.physicalId);
    expect((await request(api.physicalId, '/hello')).status).toBe(404);
    expect((await request(api.physicalId, '/goodbye')).status).toBe(200);

    await stage.provider.delete(stage, stage.context);
    await api.provider.delete(api, api.context);
    // After a crash the engine repeats a deletion.
    await api.provider.delete(api, api.context);
    expect((await request(api.physicalId, '/goodbye')).status).toBe(404);
  });

  it('make an API of integration, route, authorizer and stage', async () => {
    const api = await make('AWS::ApiGatewayV2::Api', { Name: 'parts', ProtocolType: 'HTTP' });
    const ApiId = api.physicalId;
    const target = await make('AWS::ApiGatewayV2::Integration', {
      ApiId,
      IntegrationType: 'AWS_PROXY',
      IntegrationUri: uriOf('echo'),
      PayloadFormatVersion: '2.0',
      TimeoutInMillis: 5000,
    });
    const authorizer = await make('AWS::ApiGatewayV2::Authorizer', {
      ApiId,
      Name: 'login',
      AuthorizerType: 'JWT',
      IdentitySource: ['$request.header.Authorization'],
      JwtConfiguration: { Issuer: 'https://login.example', Audience: ['shop'] },
    });
    const route = await make('AWS::ApiGatewayV2::Route', {
      ApiId,
      RouteKey: 'GET /private',
      AuthorizationType: 'JWT',
      AuthorizerId: authorizer.physicalId,
      Target: `integrations/${target.physicalId}`,
    });
    await make('AWS::ApiGatewayV2::Stage', { ApiId, StageName: 'dev', AutoDeploy: true });
    expect((await request(ApiId, '/dev/private')).status).toBe(401);
    const open = { ApiId, RouteKey: 'GET /private', Target: `integrations/${target.physicalId}` };
    await route.provider.update?.(route, open, route.context);
    expect(JSON.parse((await request(ApiId, '/dev/private')).text)).toMatchObject({ rawPath: '/dev/private' });
  });
});
