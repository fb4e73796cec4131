/** AWS::ApiGatewayV2::*: HTTP APIs. WebSocket APIs are recorded by the service. */
import { renderApiArn, renderApiGatewayArn } from '../../../protocol/arn.ts';
import type { OperationMembers } from '../../../wire/api-call.ts';
import type { Json, PhysicalResource, Properties, ResourceContext, ResourceProvider } from '../provider.ts';
import { apiResource, bodyText, ignoreMissing, omitMembers, resetMembers } from './api-resource.ts';

const SERVICE = 'apigatewayv2';
const BODY = ['Body', 'BodyS3Location', 'FailOnWarnings', 'BasePath'];

const httpApi: ResourceProvider = {
  type: 'AWS::ApiGatewayV2::Api',
  async create(properties, context) {
    const body = await bodyText(properties, context);
    if (body === undefined) {
      return physicalApi(await context.call(SERVICE, 'CreateApi', omitMembers(properties, BODY)), context);
    }
    const imported = await context.call(SERVICE, 'ImportApi', importMembers(body, properties));
    const made = physicalApi(imported, context);
    context.created(made.physicalId);
    await applySettings(made.physicalId, properties, context);
    return made;
  },
  async update(existing, properties, context) {
    const ApiId = existing.physicalId;
    const body = await bodyText(properties, context);
    if (body !== undefined) {
      await context.call(SERVICE, 'ReimportApi', { ApiId, ...importMembers(body, properties) });
    } else if (properties.CorsConfiguration === undefined && existing.properties.CorsConfiguration !== undefined) {
      await context.call(SERVICE, 'DeleteCorsConfiguration', { ApiId });
    }
    const { CorsConfiguration: _, ...reset } = resetMembers(existing.properties, properties, {});
    await applySettings(ApiId, { ...reset, ...properties }, context);
    return existing;
  },
  delete: ({ physicalId: ApiId }, context) => ignoreMissing(context.call(SERVICE, 'DeleteApi', { ApiId })),
};

function importMembers(Body: string, { FailOnWarnings, BasePath }: Properties): OperationMembers {
  return { Body, FailOnWarnings, Basepath: BasePath };
}

/** What the document does not say, or says otherwise. */
async function applySettings(ApiId: string, properties: Properties, context: ResourceContext): Promise<void> {
  const { Tags, ...settings } = omitMembers(properties, [
    ...BODY,
    'ProtocolType',
    'Target',
    'RouteKey',
    'CredentialsArn',
  ]);
  if (Object.keys(settings).length > 0) await context.call(SERVICE, 'UpdateApi', { ApiId, ...settings });
  if (Tags !== undefined) {
    const ResourceArn = renderApiGatewayArn(context.scope.region, `/apis/${ApiId}`);
    await context.call(SERVICE, 'TagResource', { ResourceArn, Tags });
  }
}

function physicalApi({ ApiId, ApiEndpoint }: OperationMembers, { scope }: ResourceContext): PhysicalResource {
  const physicalId = String(ApiId);
  const attributes: Record<string, Json> = {
    ApiId: physicalId,
    ApiEndpoint: String(ApiEndpoint),
    ExecuteApiArn: renderApiArn(scope, physicalId),
  };
  return { physicalId, attributes };
}

/** Everything below an API but the stage is known by an ID that the service makes. */
function below(noun: string, resets: Readonly<Record<string, Json>> = {}): ResourceProvider {
  const type = `AWS::ApiGatewayV2::${noun}`;
  return apiResource({ type, service: SERVICE, noun, id: `${noun}Id`, parents: ['ApiId'], resets });
}

export const HTTP_API_PROVIDERS: readonly ResourceProvider[] = [
  httpApi,
  below('Integration', { PayloadFormatVersion: '1.0', TimeoutInMillis: 30_000, ConnectionType: 'INTERNET' }),
  below('Route', { AuthorizationType: 'NONE' }),
  below('Authorizer', { AuthorizerPayloadFormatVersion: '1.0', AuthorizerResultTtlInSeconds: 0 }),
  below('Deployment'),
  apiResource({
    type: 'AWS::ApiGatewayV2::Stage',
    service: SERVICE,
    noun: 'Stage',
    id: 'StageName',
    parents: ['ApiId'],
  }),
  apiResource({
    type: 'AWS::ApiGatewayV2::DomainName',
    service: SERVICE,
    noun: 'DomainName',
    id: 'DomainName',
    parents: [],
    attributes(id, { scope }, { DomainNameConfigurations }) {
      const [first] = (DomainNameConfigurations ?? []) as readonly Properties[];
      return {
        DomainNameArn: renderApiGatewayArn(scope.region, `/domainnames/${id}`),
        RegionalDomainName: first?.ApiGatewayDomainName ?? id,
        RegionalHostedZoneId: first?.HostedZoneId ?? '',
      };
    },
  }),
  apiResource({
    type: 'AWS::ApiGatewayV2::ApiMapping',
    service: SERVICE,
    noun: 'ApiMapping',
    id: 'ApiMappingId',
    parents: ['DomainName', 'ApiId'],
  }),
];
