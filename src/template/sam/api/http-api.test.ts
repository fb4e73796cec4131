import { describe, expect, it } from 'vitest';
import type { JsonObject } from '../../tree.ts';
import { InvalidDocument } from '../errors.ts';
import { transformSam } from '../transform.ts';
import { executeApiArn } from './template-arns.ts';

type Resources = Record<string, JsonObject>;

function resourcesOf(resources: JsonObject, rest: JsonObject = {}): Resources {
  return transformSam({ Resources: resources, ...rest }, { region: 'eu-west-1', parameters: {} })
    .Resources as Resources;
}

function errorsOf(resources: JsonObject): string[] {
  try {
    resourcesOf(resources);
  } catch (error) {
    if (error instanceof InvalidDocument) return error.causes.map(({ message }) => message);
    throw error;
  }
  return [];
}

function fn(events: Record<string, JsonObject>, attributes: JsonObject = {}): JsonObject {
  const Events = Object.fromEntries(
    Object.entries(events).map(([id, Properties]) => [id, { Type: 'HttpApi', Properties }]),
  );
  const code = { Runtime: 'nodejs20.x', Handler: 'index.handler', InlineCode: 'x' };
  return { Type: 'AWS::Serverless::Function', ...attributes, Properties: { ...code, Events } };
}

const api = (properties: JsonObject = {}): JsonObject => ({ Type: 'AWS::Serverless::HttpApi', Properties: properties });
const propertiesOf = (resources: Resources, id: string): JsonObject =>
  (resources[id] as JsonObject).Properties as JsonObject;
const bodyOf = (resources: Resources, id: string): JsonObject => propertiesOf(resources, id).Body as JsonObject;
const routeOf = (body: JsonObject, path: string, method: string): JsonObject =>
  ((body.paths as JsonObject)[path] as JsonObject)[method] as JsonObject;

const ApiId = { Ref: 'Shop' };
const TOKEN = {
  JwtConfiguration: { Issuer: 'https://issuer.example', Audience: ['shop'] },
  IdentitySource: '$request.header.Authorization',
};

describe('the implicit HTTP API', () => {
  it('takes all requests without a path of their own', () => {
    const resources = resourcesOf({ Shop: fn({ All: {} }) });
    expect(Object.keys(resources).sort()).toEqual([
      'ServerlessHttpApi',
      'ServerlessHttpApiApiGatewayDefaultStage',
      'Shop',
      'ShopAllPermission',
      'ShopRole',
    ]);
    expect(routeOf(bodyOf(resources, 'ServerlessHttpApi'), '$default', 'x-amazon-apigateway-any-method')).toMatchObject(
      {
        isDefaultRoute: true,
        'x-amazon-apigateway-integration': { payloadFormatVersion: '2.0', type: 'aws_proxy' },
      },
    );
    expect(propertiesOf(resources, 'ShopAllPermission').SourceArn).toEqual({
      'Fn::Sub': [
        executeApiArn('${AWS::Partition}', '${__ApiId__}/${__Stage__}/*'),
        { __ApiId__: { Ref: 'ServerlessHttpApi' }, __Stage__: '*' },
      ],
    });
  });

  it('needs no second permission for a function that has the default route', () => {
    const resources = resourcesOf({ Shop: fn({ One: { Path: '/one', Method: 'get' }, All: {} }) });
    expect(Object.keys(resources).filter((id) => id.endsWith('Permission'))).toEqual(['ShopAllPermission']);
  });

  it('declares the parameters of a path', () => {
    const resources = resourcesOf({ Shop: fn({ One: { Path: '/orders/{id}/items/{item+}', Method: 'get' } }) });
    const route = routeOf(bodyOf(resources, 'ServerlessHttpApi'), '/orders/{id}/items/{item+}', 'get');
    expect(route.parameters).toEqual([
      { name: 'id', in: 'path', required: true },
      { name: 'item+', in: 'path', required: true },
    ]);
  });

  it('puts the path of a function with a condition under it', () => {
    const resources = resourcesOf(
      {
        Shop: fn(
          { One: { Path: '/one', Method: 'get', RouteSettings: { ThrottlingRateLimit: 5 } } },
          { Condition: 'On' },
        ),
      },
      { Conditions: { On: { 'Fn::Equals': [1, 1] } } },
    );
    const none = { Ref: 'AWS::NoValue' };
    expect((bodyOf(resources, 'ServerlessHttpApi').paths as JsonObject)['/one']).toEqual({
      'Fn::If': ['On', { get: { 'Fn::If': ['On', expect.anything(), none] } }, none],
    });
    expect(propertiesOf(resources, 'ServerlessHttpApiApiGatewayDefaultStage').RouteSettings).toEqual({
      'GET /one': { 'Fn::If': ['On', { ThrottlingRateLimit: 5 }, none] },
    });
  });
});

describe('AWS::Serverless::HttpApi', () => {
  it('has authorizers, CORS, tags, a title and a description in its body', () => {
    const resources = resourcesOf({
      Shop: api({
        StageName: 'live',
        Name: 'shop',
        Description: 'orders',
        Tags: { team: 'shop' },
        CorsConfiguration: { AllowOrigins: ['https://shop.example'], MaxAge: 60 },
        DisableExecuteApiEndpoint: true,
        Auth: {
          DefaultAuthorizer: 'Token',
          EnableIamAuthorizer: true,
          Authorizers: {
            Token: TOKEN,
            Check: {
              FunctionArn: { 'Fn::GetAtt': ['Check', 'Arn'] },
              AuthorizerPayloadFormatVersion: '2.0',
              EnableFunctionDefaultPermissions: true,
              Identity: { Headers: ['X-Key'], ReauthorizeEvery: 5 },
            },
          },
        },
      }),
      Code: fn({
        List: { ApiId, Path: '/orders', Method: 'get' },
        Open: { ApiId, Path: '/health', Method: 'get', Auth: { Authorizer: 'NONE' } },
        Admin: { ApiId, Path: '/admin', Method: 'post', Auth: { Authorizer: 'AWS_IAM' }, TimeoutInMillis: 500 },
      }),
    });
    const body = bodyOf(resources, 'Shop');
    expect(body).toMatchObject({
      info: { title: 'shop', description: 'orders' },
      tags: [
        { name: 'team', 'x-amazon-apigateway-tag-value': 'shop' },
        { name: 'httpapi:createdBy', 'x-amazon-apigateway-tag-value': 'SAM' },
      ],
      'x-amazon-apigateway-cors': { allowOrigins: ['https://shop.example'], maxAge: 60 },
      servers: [{ 'x-amazon-apigateway-endpoint-configuration': { disableExecuteApiEndpoint: true } }],
      components: {
        securitySchemes: {
          AWS_IAM: { 'x-amazon-apigateway-authtype': 'awsSigv4' },
          Token: {
            type: 'oauth2',
            'x-amazon-apigateway-authorizer': {
              type: 'jwt',
              jwtConfiguration: { issuer: 'https://issuer.example', audience: ['shop'] },
            },
          },
          Check: {
            'x-amazon-apigateway-authorizer': {
              type: 'request',
              identitySource: ['$request.header.X-Key'],
              authorizerResultTtlInSeconds: 5,
            },
          },
        },
      },
    });
    expect(routeOf(body, '/orders', 'get').security).toEqual([{ Token: [] }]);
    expect(routeOf(body, '/health', 'get').security).toEqual([{ NONE: [] }]);
    expect(routeOf(body, '/admin', 'post')).toMatchObject({
      security: [{ AWS_IAM: [] }],
      'x-amazon-apigateway-integration': { timeoutInMillis: 500 },
    });
    expect(resources.ShopCheckAuthorizerPermission).toBeDefined();
    expect(propertiesOf(resources, 'ShopliveStage')).toEqual({
      ApiId: { Ref: 'Shop' },
      AutoDeploy: true,
      StageName: 'live',
      Tags: { team: 'shop', 'httpapi:createdBy': 'SAM' },
    });
  });

  it('keeps the integrations of a definition, and adds those that it lacks', () => {
    const integration = { 'x-amazon-apigateway-integration': { uri: 'mine' } };
    const DefinitionBody = { openapi: '3.0.1', paths: { '/a': { get: integration } } };
    const resources = resourcesOf({
      Shop: api({ DefinitionBody }),
      Code: fn({ A: { ApiId, Path: '/a', Method: 'get' }, B: { ApiId, Path: '/b', Method: 'get' } }),
    });
    const body = bodyOf(resources, 'Shop');
    expect(routeOf(body, '/a', 'get')).toEqual(integration);
    expect(routeOf(body, '/b', 'get')).toMatchObject({ 'x-amazon-apigateway-integration': { type: 'aws_proxy' } });
  });

  it('has a domain with a mapping for each base path', () => {
    const resources = resourcesOf({
      Shop: api({
        StageName: 'live',
        Domain: { DomainName: 'a.example', CertificateArn: 'cert', BasePath: ['/v1/orders', 'x-y'] },
      }),
      Code: fn({ All: { ApiId } }),
    });
    expect(propertiesOf(resources, 'Shopv1ordersApiMapping')).toMatchObject({
      ApiMappingKey: 'v1/orders',
      Stage: { Ref: 'ShopliveStage' },
    });
    expect(propertiesOf(resources, 'ShopxyApiMapping').ApiMappingKey).toBe('x-y');
  });

  it.each<[string, JsonObject, string]>([
    ['an unknown key of CORS', { CorsConfiguration: { Origins: [] } }, "Invalid key 'Origins' for 'Cors' property."],
    [
      'credentials for all origins',
      { CorsConfiguration: { AllowOrigins: ['*'], AllowCredentials: true } },
      "Unable to add Cors configuration because 'AllowCredentials' can not be true when 'AllowOrigin' is \"'*'\" or not set.",
    ],
    [
      'a token authorizer without a source',
      { Auth: { Authorizers: { T: { JwtConfiguration: { issuer: 'a' } } } } },
      "T OAuth2 Authorizer must define 'IdentitySource'.",
    ],
    [
      'an authorizer of two kinds',
      { Auth: { Authorizers: { T: { ...TOKEN, FunctionArn: 'a' } } } },
      'FunctionArn is only supported for Lambda Authorizer.',
    ],
    [
      'an edge-optimized domain',
      { Domain: { DomainName: 'a', CertificateArn: 'b', EndpointConfiguration: 'EDGE' } },
      "EndpointConfiguration for Custom Domains must be one of ['REGIONAL'].",
    ],
    [
      'a base path with other characters',
      { Domain: { DomainName: 'a', CertificateArn: 'b', BasePath: 'a b' } },
      'Invalid Basepath name provided.',
    ],
    [
      'a definition elsewhere than in S3',
      { DefinitionUri: './api.yaml' },
      "'DefinitionUri' is not a valid S3 Uri of the form 's3://bucket/key' with optional versionId query parameter.",
    ],
  ])('refuses %s', (_what, properties, message) => {
    expect(errorsOf({ Shop: api(properties) })).toEqual([`Resource with id [Shop] is invalid. ${message}`]);
  });

  it('reports the first of several wrong authorizers, of Globals in the order of the text', () => {
    const wrong = { JwtConfiguration: 'x' };
    const Authorizers = { Token: wrong, Pool: wrong };
    const first = (resources: JsonObject, rest: JsonObject = {}): string => {
      try {
        resourcesOf(resources, rest);
      } catch (error) {
        return (error as Error).message;
      }
      return '';
    };
    const isRest = { Rest: { Type: 'AWS::Serverless::Api', Properties: { StageName: 'live' } } };
    const named = { get: 1, put: 2 };
    const globals = { Globals: { HttpApi: { Auth: { Authorizers: named } } } };
    expect(first({ ...isRest, Shop: api() }, globals)).toContain("'Auth.Authorizers.get' should be a map");
    expect(first({ ...isRest, Shop: api({ Auth: { Authorizers: named } }) })).toContain(
      "'Auth.Authorizers.put' should be a map",
    );
    expect(first({ Shop: api({ Auth: { Authorizers } }) })).toContain("Property 'JwtConfiguration' should be a map.");
  });

  it('refuses a route that is there twice, and one without its authorizer', () => {
    expect(
      errorsOf({
        Code: fn({
          A: { Path: '/a', Method: 'get' },
          B: { Path: '/a', Method: 'GET' },
        }),
        Other: fn({ C: { Path: '/c', Method: 'get', Auth: { Authorizer: 'Token' } } }),
      }),
    ).toEqual([
      "Resource with id [Code] is invalid. Event with id [B] is invalid. API method 'get' defined multiple times for path '/a'.",
      'Resource with id [Other] is invalid. Event with id [C] is invalid. Unable to set Authorizer [Token] on API method [get] for path [/c] because the related API does not define any Authorizers.',
    ]);
  });
});

describe('AWS::Serverless::WebSocketApi', () => {
  const socket = (properties: JsonObject): JsonObject => ({
    Type: 'AWS::Serverless::WebSocketApi',
    Properties: { RouteSelectionExpression: '$request.body.action', ...properties },
  });
  const FunctionArn = { 'Fn::GetAtt': ['Code', 'Arn'] };

  it('has a route, an integration and a permission for each route', () => {
    const resources = resourcesOf({
      Chat: socket({
        Routes: { $connect: { FunctionArn }, sendMessage: { FunctionArn } },
        RouteSettings: { sendMessage: { ThrottlingRateLimit: 1 } },
        Auth: { AuthType: 'CUSTOM', AuthArn: FunctionArn, IdentitySource: ['route.request.header.Auth'] },
      }),
    });
    expect(Object.keys(resources).sort()).toEqual([
      'Chat',
      'ChatAuthorizerPermission',
      'ChatConnectAuthorizer',
      'ChatConnectIntegration',
      'ChatConnectPermission',
      'ChatConnectRoute',
      'ChatDefaultStage',
      'ChatSendmessageIntegration',
      'ChatSendmessagePermission',
      'ChatSendmessageRoute',
    ]);
    expect(propertiesOf(resources, 'ChatConnectRoute')).toMatchObject({
      AuthorizationType: 'CUSTOM',
      AuthorizerId: { Ref: 'ChatConnectAuthorizer' },
      RouteKey: '$connect',
    });
    expect(resources.ChatDefaultStage?.DependsOn).toEqual(['ChatConnectRoute', 'ChatSendmessageRoute']);
  });

  it.each<[string, JsonObject, string]>([
    ['no routes', { Routes: {} }, 'WebSocket API must have at least one route.'],
    [
      'another route key',
      { Routes: { 'a b': { FunctionArn } } },
      "Route key 'a b' must be alphanumeric. Only $connect, $disconnect, and $default special routes are supported.",
    ],
    ['a route without a function', { Routes: { a: {} } }, 'Route must have associated function.'],
    [
      'authorization without a connection',
      { Routes: { a: { FunctionArn } }, Auth: { AuthType: 'AWS_IAM' } },
      'Authorization is only available if there is a $connect route.',
    ],
    [
      'the stage $default',
      { Routes: { a: { FunctionArn } }, StageName: '$default' },
      'Stages cannot be named $default for WebSocket APIs.',
    ],
  ])('refuses %s', (_what, properties, message) => {
    expect(errorsOf({ Chat: socket(properties) })).toEqual([`Resource with id [Chat] is invalid. ${message}`]);
  });
});
