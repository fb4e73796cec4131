/**
 * Logical ids with hashes are those that AWS's translator (1.110.0) gives the same templates.
 */
import { describe, expect, it } from 'vitest';
import { cpuGrowth, LINEAR } from '../../../../test/support/cpu-growth.ts';
import type { Json, JsonObject } from '../../tree.ts';
import { InvalidDocument } from '../errors.ts';
import { transformSam } from '../transform.ts';
import { apiGatewayArn, executeApiArn } from './template-arns.ts';

function transform(resources: JsonObject, rest: JsonObject = {}, region = 'eu-west-1'): JsonObject {
  return transformSam({ Resources: resources, ...rest }, { region, parameters: {} });
}

function resourcesOf(resources: JsonObject, rest?: JsonObject, region?: string): Record<string, JsonObject> {
  return transform(resources, rest, region).Resources as Record<string, JsonObject>;
}

function errorsOf(resources: JsonObject, rest?: JsonObject): string[] {
  try {
    transform(resources, rest);
  } catch (error) {
    if (error instanceof InvalidDocument) return error.causes.map(({ message }) => message);
    throw error;
  }
  return [];
}

const CODE = { Runtime: 'nodejs20.x', Handler: 'index.handler', InlineCode: 'x' };

function fn(events: Record<string, JsonObject>, properties: JsonObject = {}, attributes: JsonObject = {}): JsonObject {
  const Events = Object.fromEntries(
    Object.entries(events).map(([id, Properties]) => [id, { Type: 'Api', Properties }]),
  );
  return { Type: 'AWS::Serverless::Function', ...attributes, Properties: { ...CODE, ...properties, Events } };
}

const api = (properties: JsonObject = {}, attributes: JsonObject = {}): JsonObject => ({
  Type: 'AWS::Serverless::Api',
  ...attributes,
  Properties: { StageName: 'live', ...properties },
});

const RestApiId = { Ref: 'Shop' };
const propertiesOf = (resources: Record<string, JsonObject>, id: string): JsonObject =>
  (resources[id] as JsonObject).Properties as JsonObject;
const bodyOf = (resources: Record<string, JsonObject>, id: string): JsonObject =>
  propertiesOf(resources, id).Body as JsonObject;
const methodOf = (body: JsonObject, path: string, method: string): JsonObject =>
  ((body.paths as JsonObject)[path] as JsonObject)[method] as JsonObject;

describe('the implicit REST API', () => {
  const resources = resourcesOf({
    Shop: fn({
      List: { Path: '/orders', Method: 'get' },
      Add: { Path: '/orders', Method: 'POST' },
      One: { Path: '/orders/{id}/', Method: 'any' },
    }),
  });

  it('has the deployment and the stage of the translator', () => {
    expect(Object.keys(resources).sort()).toEqual([
      'ServerlessRestApi',
      'ServerlessRestApiDeployment55b18d1542',
      'ServerlessRestApiProdStage',
      'Shop',
      'ShopAddPermissionProd',
      'ShopListPermissionProd',
      'ShopOnePermissionProd',
      'ShopRole',
    ]);
    expect(resources.ServerlessRestApiProdStage).toEqual({
      Type: 'AWS::ApiGateway::Stage',
      Properties: {
        DeploymentId: { Ref: 'ServerlessRestApiDeployment55b18d1542' },
        RestApiId: { Ref: 'ServerlessRestApi' },
        StageName: 'Prod',
      },
    });
  });

  it('has an integration for each method', () => {
    const body = bodyOf(resources, 'ServerlessRestApi');
    expect(Object.keys(body.paths as JsonObject).sort()).toEqual(['/orders', '/orders/{id}/']);
    expect(methodOf(body, '/orders', 'post')).toEqual({
      responses: {},
      'x-amazon-apigateway-integration': {
        httpMethod: 'POST',
        type: 'aws_proxy',
        uri: {
          'Fn::Sub': apiGatewayArn('aws', 'lambda', 'path/2015-03-31/functions/${Shop.Arn}/invocations'),
        },
      },
    });
    expect(methodOf(body, '/orders/{id}/', 'x-amazon-apigateway-any-method')).toBeDefined();
  });

  it('lets API Gateway invoke the function for each path, without parameters and the slash at the end', () => {
    const sources = ['List', 'Add', 'One'].map(
      (event) => (propertiesOf(resources, `Shop${event}PermissionProd`).SourceArn as JsonObject)['Fn::Sub'],
    );
    const prefix = executeApiArn('aws', '${__ApiId__}/${__Stage__}');
    expect(sources).toEqual(
      ['/GET/orders', '/POST/orders', '/*/orders/*'].map((path) => [
        prefix + path,
        { __ApiId__: { Ref: 'ServerlessRestApi' }, __Stage__: '*' },
      ]),
    );
  });

  it('is there if one of its functions is, and a path if one of its methods is', () => {
    const output = transform(
      {
        Read: fn({ Get: { Path: '/orders', Method: 'get' } }, {}, { Condition: 'Reads', DeletionPolicy: 'Delete' }),
        Write: fn(
          { Post: { Path: '/orders', Method: 'post' }, Put: { Path: '/one', Method: 'put' } },
          {},
          { Condition: 'Writes', DeletionPolicy: 'Retain' },
        ),
      },
      { Conditions: { Reads: { 'Fn::Equals': [1, 1] }, Writes: { 'Fn::Equals': [1, 1] } } },
    );
    const either = { 'Fn::Or': [{ Condition: 'Reads' }, { Condition: 'Writes' }] };
    expect(output.Conditions).toMatchObject({
      ServerlessRestApiCondition: either,
      ServerlessRestApiSLASHordersPathCondition: either,
    });
    const made = output.Resources as Record<string, JsonObject>;
    expect(made.ServerlessRestApi).toMatchObject({ Condition: 'ServerlessRestApiCondition', DeletionPolicy: 'Retain' });
    const { paths } = bodyOf(made, 'ServerlessRestApi') as { paths: Record<string, JsonObject> };
    const none = { Ref: 'AWS::NoValue' };
    expect(paths['/orders']).toEqual({
      'Fn::If': ['ServerlessRestApiSLASHordersPathCondition', expect.anything(), none],
    });
    expect(paths['/one']).toEqual({
      'Fn::If': ['Writes', { put: { 'Fn::If': ['Writes', expect.anything(), none] } }, none],
    });
  });

  it('gives a resource of the template with its id back if no event needs it', () => {
    const resources = resourcesOf({ ServerlessRestApi: { Type: 'AWS::SNS::Topic' }, Shop: fn({}) });
    expect(resources.ServerlessRestApi).toEqual({ Type: 'AWS::SNS::Topic' });
  });

  it('has the tags of the functions that propagate them', () => {
    const resources = resourcesOf(
      { Shop: fn({ Get: { Path: '/', Method: 'get' } }, { PropagateTags: true }) },
      { Globals: { Function: { Tags: { team: 'shop' } } } },
    );
    const tags = [{ Key: 'team', Value: 'shop' }];
    expect(propertiesOf(resources, 'ServerlessRestApi').Tags).toEqual(tags);
    expect(propertiesOf(resources, 'ServerlessRestApiProdStage').Tags).toEqual(tags);
  });
});

describe('AWS::Serverless::Api', () => {
  const everything = {
    Guarded: api({
      StageName: 'live-1',
      Cors: { AllowOrigin: "'https://shop.example'", MaxAge: "'600'", AllowCredentials: true },
      Auth: {
        DefaultAuthorizer: 'Pool',
        AddDefaultAuthorizerToCorsPreflight: false,
        ApiKeyRequired: true,
        Authorizers: {
          Pool: { UserPoolArn: { 'Fn::GetAtt': ['Users', 'Arn'] } },
          Token: {
            FunctionArn: { 'Fn::GetAtt': ['Check', 'Arn'] },
            Identity: { Header: 'X-Token', ReauthorizeEvery: 30 },
          },
        },
        UsagePlan: { CreateUsagePlan: 'PER_API', Description: 'For partners' },
        ResourcePolicy: { IpRangeWhitelist: ['10.0.0.0/8'], SourceVpcBlacklist: ['vpc-1', 'vpce-2'] },
      },
      GatewayResponses: { UNAUTHORIZED: { StatusCode: 401, ResponseParameters: { Headers: { 'X-Reason': "'key'" } } } },
      BinaryMediaTypes: ['image~1png'],
      Models: { Order: { type: 'object', properties: { count: { type: 'integer' } } } },
      OpenApiVersion: '3.0.1',
    }),
    Shop: fn(
      {
        Add: {
          RestApiId: { Ref: 'Guarded' },
          Path: '/orders',
          Method: 'post',
          RequestModel: { Model: 'Order', Required: true, ValidateBody: true },
          RequestParameters: [
            'method.request.header.X-Id',
            { 'method.request.querystring.page': { Required: true, Caching: true } },
          ],
        },
        Open: {
          RestApiId: { Ref: 'Guarded' },
          Path: '/health',
          Method: 'get',
          Auth: { Authorizer: 'NONE', ApiKeyRequired: false },
        },
        Token: {
          RestApiId: { Ref: 'Guarded' },
          Path: '/admin',
          Method: 'get',
          TimeoutInMillis: 5000,
          Auth: { Authorizer: 'Token' },
        },
      },
      { FunctionName: 'shop' },
    ),
  };
  const resources = resourcesOf(everything, {}, 'ap-southeast-1');
  const body = bodyOf(resources, 'Guarded');

  it('has the names of the translator', () => {
    expect(Object.keys(resources).filter((id) => id.startsWith('Guarded'))).toEqual([
      'Guarded',
      'GuardedDeployment705dd55165',
      'GuardedStage66ef72e639',
      'GuardedTokenAuthorizerPermission',
      'GuardedUsagePlan',
      'GuardedApiKey',
      'GuardedUsagePlanKey',
    ]);
  });

  it('gives each method its authorizer and its API key', () => {
    expect(methodOf(body, '/orders', 'post').security).toEqual([{ Pool: [] }, { api_key: [] }]);
    expect(methodOf(body, '/admin', 'get').security).toEqual([{ Token: [] }, { api_key: [] }]);
    expect(methodOf(body, '/health', 'get').security).toEqual([]);
    expect(methodOf(body, '/orders', 'options').security).toEqual([{ api_key: [] }]);
    expect((body.components as JsonObject).securitySchemes).toMatchObject({
      Pool: {
        'x-amazon-apigateway-authtype': 'cognito_user_pools',
        'x-amazon-apigateway-authorizer': { providerARNs: [{ 'Fn::GetAtt': ['Users', 'Arn'] }] },
      },
      Token: { name: 'X-Token', 'x-amazon-apigateway-authorizer': { type: 'token', authorizerResultTtlInSeconds: 30 } },
      api_key: { name: 'x-api-key' },
    });
  });

  it('answers preflight requests', () => {
    const options = methodOf(body, '/orders', 'options');
    expect((options['x-amazon-apigateway-integration'] as JsonObject).responses).toEqual({
      default: {
        statusCode: '200',
        responseParameters: {
          'method.response.header.Access-Control-Allow-Credentials': "'true'",
          'method.response.header.Access-Control-Allow-Methods': "'OPTIONS,POST'",
          'method.response.header.Access-Control-Allow-Origin': "'https://shop.example'",
          'method.response.header.Access-Control-Max-Age': "'600'",
        },
        responseTemplates: { 'application/json': '{}\n' },
      },
    });
  });

  it('checks requests by model and parameters', () => {
    const method = methodOf(body, '/orders', 'post');
    expect(method.requestBody).toEqual({
      content: { 'application/json': { schema: { $ref: '#/components/schemas/order' } } },
      required: true,
    });
    expect(method['x-amazon-apigateway-request-validator']).toBe('body-only');
    expect(method.parameters).toEqual([
      { in: 'header', name: 'X-Id', required: false, type: 'string' },
      { in: 'query', name: 'page', required: true, type: 'string' },
    ]);
    expect((method['x-amazon-apigateway-integration'] as JsonObject).cacheKeyParameters).toEqual([
      'method.request.querystring.page',
    ]);
  });

  it('lets addresses and VPCs in by a policy', () => {
    const { Statement } = body['x-amazon-apigateway-policy'] as { Statement: JsonObject[] };
    expect(Statement.filter(({ Effect }) => Effect === 'Deny').map(({ Condition }) => Condition)).toEqual(
      Array.from({ length: 3 }, () => [
        { NotIpAddress: { 'aws:SourceIp': ['10.0.0.0/8'] } },
        { StringEquals: { 'aws:SourceVpc': ['vpc-1'], 'aws:SourceVpce': ['vpce-2'] } },
      ]).flat(),
    );
  });

  it('is deployed again when its body or the name of a function changes', () => {
    const deployments = (name: string, path: string) => {
      const made = resourcesOf({
        Shop: api(),
        Code: fn({ Get: { RestApiId, Path: path, Method: 'get' } }, { FunctionName: name }),
      });
      return Object.keys(made).find((id) => id.startsWith('ShopDeployment'));
    };
    expect(new Set([deployments('a', '/'), deployments('b', '/'), deployments('a', '/x')]).size).toBe(3);
    expect(deployments('a', '/')).toBe(deployments('a', '/'));
  });

  it('takes Globals and its own properties in the order of the translator', () => {
    const Route53 = { HostedZoneId: 'Z1', EvaluateTargetHealth: true };
    const made = resourcesOf(
      {
        Shop: api({ Domain: { DomainName: 'a.example', Route53, BasePath: ['v1'] } }),
        Code: fn({ Get: { RestApiId, Path: '/', Method: 'get' } }),
      },
      {
        Globals: { Api: { Domain: { CertificateArn: 'cert', SecurityPolicy: 'TLS_1_2', IpAddressType: 'dualstack' } } },
      },
    );
    expect(Object.keys(made).filter((id) => id.startsWith('ShopDeployment'))).toEqual(['ShopDeployment8b06297432']);
  });

  it('takes odd values as the translator does', () => {
    const once = (events: Record<string, JsonObject>, properties: JsonObject = {}) =>
      errorsOf({ Shop: api(properties), Code: fn(events) });
    expect(once({ Get: { RestApiId, Path: '/', Method: 'get', RequestParameters: { Ref: 'X' } } })).toEqual([
      expect.stringContaining("Keys must be in the format 'method.request.[querystring|path|header].{value}'"),
    ]);
    const DefinitionBody = { openapi: '3.0.1', paths: { '/': { get: [] } } };
    const get = { RestApiId, Path: '/', Method: 'get' };
    expect(once({ Get: get }, { DefinitionBody, MergeDefinitions: true })).toEqual([]);
    expect(
      errorsOf({
        Shop: { Type: 'AWS::Serverless::HttpApi', Properties: { RouteSettings: 'x' } },
        Code: {
          Type: 'AWS::Serverless::Function',
          Properties: {
            ...CODE,
            Events: {
              Get: { Type: 'HttpApi', Properties: { ApiId: 'Shop', Path: '/', Method: 'get', RouteSettings: {} } },
            },
          },
        },
      }),
    ).toEqual(["Resource with id [Shop] is invalid. Property 'RouteSettings' should be a map."]);
  });

  it('refuses odd values by their names', () => {
    const version = { OpenApiVersion: { Ref: 'Version' } };
    expect(errorsOf({ Shop: api(version) })).toEqual([
      "Resource with id [Shop] is invalid. The OpenApiVersion value must be of the format '3.0.0'.",
    ]);
  });

  it('keeps a definition of the template, and merges into it if asked to', () => {
    const DefinitionBody = {
      openapi: '3.0.1',
      paths: { '/orders': { get: { summary: 'all orders' } }, '/about': { get: {} } },
    };
    const event = { RestApiId, Path: '/orders', Method: 'get' };
    const kept = resourcesOf({ Shop: api({ DefinitionBody }), Code: fn({ Get: event }) });
    expect(bodyOf(kept, 'Shop')).toEqual(DefinitionBody);
    const merged = resourcesOf({ Shop: api({ DefinitionBody, MergeDefinitions: true }), Code: fn({ Get: event }) });
    expect(methodOf(bodyOf(merged, 'Shop'), '/orders', 'get')).toEqual({
      summary: 'all orders',
      responses: {},
      'x-amazon-apigateway-integration': expect.objectContaining({ type: 'aws_proxy' }),
    });
    expect(methodOf(bodyOf(merged, 'Shop'), '/about', 'get')).toEqual({});
  });

  it('takes a definition from S3', () => {
    const made = resourcesOf({ Shop: api({ DefinitionUri: 's3://bucket/a/b.yaml?versionId=3' }) });
    expect(propertiesOf(made, 'Shop').BodyS3Location).toEqual({
      Bucket: 'bucket',
      Key: 'a/b.yaml',
      Version: '3',
    });
  });

  it('has a regional endpoint where API Gateway has no other', () => {
    const [aws, china] = ['eu-west-1', 'cn-north-1'].map(
      (region) => propertiesOf(resourcesOf({ Shop: api() }, {}, region), 'Shop').EndpointConfiguration,
    );
    expect([aws, china]).toEqual([undefined, { Types: ['REGIONAL'] }]);
  });

  it('shares a usage plan with the other APIs', () => {
    const Auth = { UsagePlan: { CreateUsagePlan: 'SHARED' } };
    const made = resourcesOf(
      { A: api({ Auth }, { Condition: 'X' }), B: api({ Auth }, { Condition: 'Y', DeletionPolicy: 'Retain' }) },
      { Conditions: { X: { 'Fn::Equals': [1, 1] }, Y: { 'Fn::Equals': [1, 1] } } },
    );
    expect(made.ServerlessUsagePlan).toMatchObject({
      Condition: 'SharedUsagePlanCondition',
      DeletionPolicy: 'Retain',
      DependsOn: ['A', 'B'],
      Properties: { ApiStages: [{ ApiId: { Ref: 'A' } }, { ApiId: { Ref: 'B' } }] },
    });
  });

  it('has a domain, with the records of all APIs of a hosted zone in one group', () => {
    const domain = (name: string): JsonObject => ({
      DomainName: name,
      CertificateArn: 'cert',
      BasePath: ['/v1'],
      Route53: { HostedZoneId: 'Z1', IpV6: true },
    });
    const made = resourcesOf({ A: api({ Domain: domain('a.example') }), B: api({ Domain: domain('b.example') }) });
    const groups = Object.values(made).filter(({ Type }) => Type === 'AWS::Route53::RecordSetGroup');
    expect(groups).toHaveLength(1);
    const records = (groups[0] as { Properties: { RecordSets: JsonObject[] } }).Properties.RecordSets;
    expect(records.map(({ Name, Type }) => `${Name} ${Type}`)).toEqual([
      'a.example A',
      'a.example AAAA',
      'b.example A',
      'b.example AAAA',
    ]);
    expect(made.Av1BasePathMapping?.Properties).toMatchObject({ BasePath: 'v1', Stage: { Ref: 'AliveStage' } });
  });

  it.each<[string, JsonObject, string]>([
    ['an unknown key of Cors', { Cors: { Origins: '*' } }, "Invalid key 'Origins' for 'Cors' property."],
    ['an unknown key of Auth', { Auth: { Authorizer: 'x' } }, "Invalid value for 'Auth' property"],
    [
      'credentials for all origins',
      { Cors: { AllowCredentials: true } },
      "Unable to add Cors configuration because 'AllowCredentials' can not be true when 'AllowOrigin' is \"'*'\" or not set",
    ],
    [
      'a default authorizer that is not defined',
      { Auth: { DefaultAuthorizer: 'Pool', Authorizers: { Other: { UserPoolArn: 'a' } } } },
      "Unable to set DefaultAuthorizer because 'Pool' was not defined in 'Authorizers'.",
    ],
    [
      'a request authorizer without identity',
      { Auth: { Authorizers: { A: { FunctionArn: 'a', FunctionPayloadType: 'REQUEST' } } } },
      'A Authorizer must specify Identity with at least one of Headers, QueryStrings, StageVariables, or Context.',
    ],
    ['a domain without certificate', { Domain: { DomainName: 'a' } }, "Property 'Domain.CertificateArn' is required."],
    [
      'two definitions',
      { DefinitionUri: 's3://a/b', DefinitionBody: { openapi: '3.0.1', paths: {} } },
      "Specify either 'DefinitionUri' or 'DefinitionBody' property and not both.",
    ],
    ['another version', { OpenApiVersion: '4' }, "The OpenApiVersion value must be of the format '3.0.0'."],
  ])('refuses %s', (_what, properties, message) => {
    expect(errorsOf({ Shop: api(properties), Code: fn({ Get: { RestApiId, Path: '/', Method: 'get' } }) })).toEqual([
      `Resource with id [Shop] is invalid. ${message}`,
    ]);
  });

  it.each<[string, Record<string, JsonObject>, string]>([
    [
      'an event without a path',
      { Get: { Method: 'get' } },
      "Event with id [Get] is invalid. Property 'Path' is required.",
    ],
    [
      'an event of an API that is not there',
      { Get: { Path: '/', Method: 'get', RestApiId: { Ref: 'Gone' } } },
      "Event with id [Get] is invalid. RestApiId must be a valid reference to an 'AWS::Serverless::Api' resource in same template.",
    ],
    [
      'a method that is there twice',
      { A: { Path: '/', Method: 'get' }, B: { Path: '/', Method: 'GET' } },
      'Event with id [B] is invalid. API method "get" defined multiple times for path "/".',
    ],
    [
      'an authorizer that the API does not have',
      { Get: { Path: '/', Method: 'get', Auth: { Authorizer: 'Pool' } } },
      'Event with id [Get] is invalid. Unable to set Authorizer [Pool] on API method [get] for path [/] because the related API does not define any Authorizers.',
    ],
    [
      'another form of parameter',
      { Get: { Path: '/', Method: 'get', RequestParameters: ['X-Id'] } },
      "Event with id [Get] is invalid. Invalid value for 'RequestParameters' property. Keys must be in the format 'method.request.[querystring|path|header].{value}', e.g 'method.request.header.Authorization'.",
    ],
  ])('refuses %s', (_what, events, message) => {
    expect(errorsOf({ Code: fn(events) })).toEqual([`Resource with id [Code] is invalid. ${message}`]);
  });

  it('takes the time for a body with many paths in proportion to their number', async () => {
    const bodyWith = (count: number) => {
      const events = Array.from({ length: count }, (_, at): [string, JsonObject] => [
        `E${at}`,
        { Path: `/p${at}`, Method: 'get' },
      ]);
      return resourcesOf({ Code: fn(Object.fromEntries(events)) }, { Globals: { Api: { Cors: "'*'" } } });
    };
    const counted = (count: number) => () =>
      expect(Object.keys(bodyOf(bodyWith(count), 'ServerlessRestApi').paths as JsonObject)).toHaveLength(count);
    expect(await cpuGrowth(counted, 40)).toBeLessThan(LINEAR);
  });

  it('has a method of a state machine with a role', () => {
    const made = resourcesOf({
      Flow: {
        Type: 'AWS::Serverless::StateMachine',
        Properties: {
          DefinitionUri: 's3://a/b',
          Role: 'role',
          Events: { Start: { Type: 'Api', Properties: { Path: '/start', Method: 'post' } } },
        },
      },
    });
    expect(methodOf(bodyOf(made, 'ServerlessRestApi'), '/start', 'post')).toMatchObject({
      'x-amazon-apigateway-integration': {
        type: 'aws',
        credentials: { 'Fn::GetAtt': ['FlowStartRole', 'Arn'] },
        responses: { '200': { statusCode: '200' }, '400': { statusCode: '400' } },
      },
    });
    expect(made.FlowStartRole).toBeDefined();
  });

  it('takes the definition of a function that streams', () => {
    const made = resourcesOf({
      Code: fn({ Get: { Path: '/', Method: 'get', ResponseTransferMode: 'RESPONSE_STREAM' } }),
    });
    const integration = methodOf(bodyOf(made, 'ServerlessRestApi'), '/', 'get')['x-amazon-apigateway-integration'] as {
      uri: { 'Fn::Sub': Json };
    };
    expect(integration).toMatchObject({ responseTransferMode: 'STREAM' });
    expect(integration.uri['Fn::Sub']).toContain('/2021-11-15/functions/');
  });
});
