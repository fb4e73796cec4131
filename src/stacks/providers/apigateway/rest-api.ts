/**
 * AWS::ApiGateway::*: REST APIs. Methods are put again as a whole, and everything else that can change is changed by patch
 * operations, as a client of this API has to.
 */
import { renderApiGatewayArn } from '../../../protocol/arn.ts';
import { tagMap } from '../members.ts';
import type { ExistingResource, Json, Properties, ResourceContext, ResourceProvider } from '../provider.ts';
import { bodyText, ignoreMissing } from './api-resource.ts';

const SERVICE = 'apigateway';
const call = (context: ResourceContext, operation: string, input: Properties) =>
  context.call(SERVICE, operation, input);

type Patch = { readonly op: 'add' | 'replace' | 'remove'; readonly path: string; readonly value?: string | undefined };

/** Properties whose members have the client's names. */
const MAPS = /^(Variables|(Request|Response)(Parameters|Templates|Models))$/;

/** Properties with the names of the API's members: `RestApiId` is `restApiId`. */
function membersOf(properties: Properties): Record<string, Json> {
  return Object.fromEntries(
    Object.entries(properties).map(([name, value]) => [lower(name), MAPS.test(name) ? value : membersIn(value)]),
  );
}

function membersIn(value: Json): Json {
  if (Array.isArray(value)) return (value as readonly Json[]).map(membersIn);
  return typeof value === 'object' && value !== null ? membersOf(value as Properties) : value;
}

function lower(name: string): string {
  return name.charAt(0).toLowerCase() + name.slice(1);
}

function pick(properties: Properties, names: readonly string[]): Record<string, Json> {
  return membersOf(Object.fromEntries(Object.entries(properties).filter(([name]) => names.includes(name))));
}

/** Patches for the scalars among `names` that differ. */
function scalarPatches(before: Properties, after: Properties, names: readonly string[]): Patch[] {
  return names
    .filter((name) => String(before[name] ?? '') !== String(after[name] ?? ''))
    .map((name) => ({ op: 'replace', path: `/${lower(name)}`, value: String(after[name] ?? '') }));
}

/** Patches for the items of lists and the entries of maps. */
function entryPatches(path: string, before: Json | undefined, after: Json | undefined): Patch[] {
  const [old, next] = [before, after].map((value) => new Map(entriesOf(value)));
  const removed = [...(old?.keys() ?? [])].filter((key) => !next?.has(key));
  const escaped = (key: string) => key.replaceAll('~', '~0').replaceAll('/', '~1');
  return [
    ...removed.map((key): Patch => ({ op: 'remove', path: `/${path}/${escaped(key)}` })),
    ...[...(next ?? [])]
      .filter(([key, value]) => old?.get(key) !== value)
      .map(
        ([key, value]): Patch => ({
          op: value === undefined ? 'add' : 'replace',
          path: `/${path}/${escaped(key)}`,
          value,
        }),
      ),
  ];
}

function entriesOf(value: Json | undefined): readonly (readonly [string, string | undefined])[] {
  if (Array.isArray(value)) return value.map((item) => [String(item), undefined]);
  return typeof value === 'object' && value !== null
    ? Object.entries(value).map(([key, item]) => [key, String(item)])
    : [];
}

async function patch(
  context: ResourceContext,
  operation: string,
  address: Properties,
  patchOperations: readonly Patch[],
) {
  if (patchOperations.length > 0)
    await call(context, operation, { ...address, patchOperations } as unknown as Properties);
}

const API_SCALARS = [
  'Name',
  'Description',
  'ApiKeySourceType',
  'DisableExecuteApiEndpoint',
  'MinimumCompressionSize',
  'Policy',
];

const restApi: ResourceProvider = {
  type: 'AWS::ApiGateway::RestApi',
  async create(properties, context) {
    const body = await bodyText(properties, context);
    const { Tags } = properties;
    if (body === undefined) {
      const given = pick(properties, [
        'Name',
        'Description',
        'Version',
        'BinaryMediaTypes',
        'CloneFrom',
        'DisableExecuteApiEndpoint',
        'EndpointConfiguration',
        'MinimumCompressionSize',
      ]);
      const made = await call(context, 'CreateRestApi', { ...given, tags: tagMap(Tags) });
      return physicalApi(made);
    }
    const made = physicalApi(await call(context, 'ImportRestApi', { body: Buffer.from(body).toString('base64') }));
    context.created(made.physicalId);
    await applySettings(made.physicalId, {}, properties, context);
    return made;
  },
  async update(existing, properties, context) {
    const restApiId = existing.physicalId;
    const body = await bodyText(properties, context);
    if (body !== undefined) {
      const mode = properties.Mode === 'merge' ? 'merge' : 'overwrite';
      await call(context, 'PutRestApi', { restApiId, mode, body: Buffer.from(body).toString('base64') });
    }
    // A document replaces the settings that it has; the properties win.
    await applySettings(restApiId, body === undefined ? existing.properties : {}, properties, context);
    return existing;
  },
  delete: ({ physicalId }, context) => ignoreMissing(call(context, 'DeleteRestApi', { restApiId: physicalId })),
};

function physicalApi({ id, rootResourceId }: Readonly<Record<string, unknown>>) {
  const physicalId = String(id);
  return { physicalId, attributes: { RestApiId: physicalId, RootResourceId: String(rootResourceId) } };
}

async function applySettings(restApiId: string, before: Properties, after: Properties, context: ResourceContext) {
  const text = ({ Policy, ApiKeySourceType, ...rest }: Properties): Properties => ({
    ...rest,
    ...(Policy !== undefined && { Policy: typeof Policy === 'string' ? Policy : JSON.stringify(Policy) }),
  });
  await patch(context, 'UpdateRestApi', { restApiId }, [
    ...scalarPatches(
      text(before),
      text(after),
      API_SCALARS.filter((name) => after[name] !== undefined || before[name] !== undefined),
    ),
    ...entryPatches('binaryMediaTypes', before.BinaryMediaTypes, after.BinaryMediaTypes),
  ]);
  const tags = tagMap(after.Tags);
  if (Object.keys(tags).length === 0) return;
  const resourceArn = renderApiGatewayArn(context.scope.region, `/restapis/${restApiId}`);
  await call(context, 'TagResource', { resourceArn, tags });
}

const resource: ResourceProvider = {
  type: 'AWS::ApiGateway::Resource',
  async create(properties, context) {
    const { id } = await call(context, 'CreateResource', membersOf(properties));
    return { physicalId: String(id), attributes: { ResourceId: String(id) } };
  },
  delete: ({ physicalId, properties: { RestApiId } }, context) =>
    ignoreMissing(call(context, 'DeleteResource', { restApiId: RestApiId as Json, resourceId: physicalId })),
};

const method: ResourceProvider = {
  type: 'AWS::ApiGateway::Method',
  async create(properties, context) {
    await ignoreMissing(call(context, 'DeleteMethod', methodAddress(properties)));
    await putMethod(properties, context);
    return { physicalId: Object.values(methodAddress(properties)).join('|'), attributes: {} };
  },
  async update({ physicalId, attributes }, properties, context) {
    await ignoreMissing(call(context, 'DeleteMethod', methodAddress(properties)));
    await putMethod(properties, context);
    return { physicalId, attributes };
  },
  delete: ({ properties }, context) => ignoreMissing(call(context, 'DeleteMethod', methodAddress(properties))),
};

function methodAddress(properties: Properties): Record<string, Json> {
  return pick(properties, ['RestApiId', 'ResourceId', 'HttpMethod']);
}

async function putMethod({ Integration, MethodResponses, ...properties }: Properties, context: ResourceContext) {
  const address = methodAddress(properties);
  await call(context, 'PutMethod', { authorizationType: 'NONE', ...membersOf(properties) });
  for (const response of listOf(MethodResponses)) {
    await call(context, 'PutMethodResponse', { ...address, ...textStatus(membersOf(response)) });
  }
  if (Integration === undefined) return;
  const { IntegrationResponses, ...integration } = Integration as Properties;
  await call(context, 'PutIntegration', { ...membersOf(integration), ...address });
  for (const response of listOf(IntegrationResponses)) {
    await call(context, 'PutIntegrationResponse', { ...address, ...textStatus(membersOf(response)) });
  }
}

function textStatus(response: Record<string, Json>): Record<string, Json> {
  return { ...response, statusCode: String(response.statusCode) };
}

function listOf(value: Json | undefined): readonly Properties[] {
  return Array.isArray(value) ? (value as readonly Properties[]) : [];
}

const deployment: ResourceProvider = {
  type: 'AWS::ApiGateway::Deployment',
  async create({ StageDescription, ...properties }, context) {
    const { Description, Variables } = (StageDescription ?? {}) as Properties;
    const stage = {
      ...(Description !== undefined && { stageDescription: Description }),
      ...(Variables !== undefined && { variables: Variables }),
    };
    const { id } = await call(context, 'CreateDeployment', {
      ...pick(properties, ['RestApiId', 'StageName', 'Description']),
      ...stage,
    });
    return { physicalId: String(id), attributes: { DeploymentId: String(id) } };
  },
  async update(existing, properties, context) {
    const address = { restApiId: properties.RestApiId as Json, deploymentId: existing.physicalId };
    await patch(context, 'UpdateDeployment', address, scalarPatches(existing.properties, properties, ['Description']));
    return existing;
  },
  async delete({ physicalId, properties: { RestApiId, StageName } }, context) {
    const restApiId = RestApiId as Json;
    if (typeof StageName === 'string') await deleteOwnStage({ restApiId, stageName: StageName }, physicalId, context);
    await ignoreMissing(call(context, 'DeleteDeployment', { restApiId, deploymentId: physicalId }));
  },
};

/** The stage that came with the deployment, unless a later deployment has taken it over. */
async function deleteOwnStage(address: Properties, deploymentId: string, context: ResourceContext): Promise<void> {
  await ignoreMissing(
    call(context, 'GetStage', address).then(async (stage) => {
      if (stage.deploymentId === deploymentId) await call(context, 'DeleteStage', address);
    }),
  );
}

const stage: ResourceProvider = {
  type: 'AWS::ApiGateway::Stage',
  async create(properties, context) {
    const names = [
      'RestApiId',
      'StageName',
      'DeploymentId',
      'Description',
      'Variables',
      'TracingEnabled',
      'CacheClusterEnabled',
      'CacheClusterSize',
      'DocumentationVersion',
    ];
    await call(context, 'CreateStage', { ...pick(properties, names), tags: tagMap(properties.Tags) });
    return { physicalId: String(properties.StageName), attributes: {} };
  },
  async update({ properties: before, ...existing }, properties, context) {
    await patch(context, 'UpdateStage', stageAddress(properties), [
      ...scalarPatches(before, properties, ['DeploymentId', 'Description', 'TracingEnabled']),
      ...entryPatches('variables', before.Variables, properties.Variables),
    ]);
    return existing;
  },
  delete: ({ properties }, context) => ignoreMissing(call(context, 'DeleteStage', stageAddress(properties))),
};

function stageAddress(properties: Properties): Record<string, Json> {
  return pick(properties, ['RestApiId', 'StageName']);
}

/** A resource with an ID from the service, below a REST API or on its own, whose scalars can be patched. */
function patched(
  noun: string,
  {
    id,
    address,
    scalars,
    attribute,
    naming,
    members = membersOf,
  }: {
    /** The member that names it in later operations. */
    readonly id: string;
    readonly address: readonly string[];
    readonly scalars: readonly string[];
    readonly attribute: string;
    readonly naming?: ResourceProvider['naming'];
    readonly members?: (properties: Properties) => Record<string, Json>;
  },
  updateMore?: (existing: ExistingResource, properties: Properties) => Patch[],
): ResourceProvider {
  const addressOf = ({ physicalId, properties }: ExistingResource) => ({
    ...pick(properties, address),
    [id]: physicalId,
  });
  return {
    type: `AWS::ApiGateway::${noun}`,
    ...(naming && { naming }),
    async create({ Tags, ...properties }, context) {
      const made = await call(context, `Create${noun}`, {
        ...members(properties),
        ...(Tags !== undefined && { tags: tagMap(Tags) }),
      });
      return { physicalId: String(made.id), attributes: { [attribute]: String(made.id) } };
    },
    async update(existing, properties, context) {
      const patches = [
        ...scalarPatches(existing.properties, properties, scalars),
        ...(updateMore?.(existing, properties) ?? []),
      ];
      await patch(context, `Update${noun}`, addressOf(existing), patches);
      return existing;
    },
    delete: (existing, context) => ignoreMissing(call(context, `Delete${noun}`, addressOf(existing))),
  };
}

const usagePlan = patched(
  'UsagePlan',
  {
    id: 'usagePlanId',
    address: [],
    scalars: ['Description'],
    attribute: 'Id',
    naming: { property: 'UsagePlanName', maxLength: 255 },
    members: ({ UsagePlanName, ...rest }) => ({ name: UsagePlanName as Json, ...membersOf(rest) }),
  },
  ({ properties: before }, after) => {
    const stagesOf = ({ ApiStages }: Properties) =>
      listOf(ApiStages).map(({ ApiId, Stage }) => `${String(ApiId)}:${String(Stage)}`);
    const [old, next] = [stagesOf(before), stagesOf(after)];
    return [
      ...old
        .filter((value) => !next.includes(value))
        .map((value): Patch => ({ op: 'remove', path: '/apiStages', value })),
      ...next.filter((value) => !old.includes(value)).map((value): Patch => ({ op: 'add', path: '/apiStages', value })),
    ];
  },
);

const usagePlanKey: ResourceProvider = {
  type: 'AWS::ApiGateway::UsagePlanKey',
  async create(properties, context) {
    await call(context, 'CreateUsagePlanKey', membersOf(properties));
    const Id = `${String(properties.KeyId)}:${String(properties.UsagePlanId)}`;
    return { physicalId: Id, attributes: { Id } };
  },
  delete: ({ properties }, context) =>
    ignoreMissing(call(context, 'DeleteUsagePlanKey', pick(properties, ['UsagePlanId', 'KeyId']))),
};

const gatewayResponse: ResourceProvider = {
  type: 'AWS::ApiGateway::GatewayResponse',
  async create(properties, context) {
    await call(context, 'PutGatewayResponse', gatewayResponseMembers(properties));
    const Id = `${String(properties.RestApiId)}-${String(properties.ResponseType)}`;
    return { physicalId: Id, attributes: { Id } };
  },
  async update(existing, properties, context) {
    await call(context, 'PutGatewayResponse', gatewayResponseMembers(properties));
    return existing;
  },
  delete: ({ properties }, context) =>
    ignoreMissing(call(context, 'DeleteGatewayResponse', pick(properties, ['RestApiId', 'ResponseType']))),
};

function gatewayResponseMembers({ StatusCode, ...properties }: Properties): Record<string, Json> {
  return { ...membersOf(properties), ...(StatusCode !== undefined && { statusCode: String(StatusCode) }) };
}

const model: ResourceProvider = {
  type: 'AWS::ApiGateway::Model',
  naming: { property: 'Name', maxLength: 128 },
  async create({ Schema, ...properties }, context) {
    const schema = typeof Schema === 'string' ? Schema : JSON.stringify(Schema ?? {});
    await call(context, 'CreateModel', { contentType: 'application/json', ...membersOf(properties), schema });
    return { physicalId: String(properties.Name), attributes: {} };
  },
  async update(existing, { Schema, ...properties }, context) {
    const schema = typeof Schema === 'string' ? Schema : JSON.stringify(Schema ?? {});
    const address = { restApiId: properties.RestApiId as Json, modelName: existing.physicalId };
    const patches = scalarPatches(existing.properties, properties, ['Description']);
    await patch(context, 'UpdateModel', address, [...patches, { op: 'replace', path: '/schema', value: schema }]);
    return existing;
  },
  delete: ({ physicalId, properties: { RestApiId } }, context) =>
    ignoreMissing(call(context, 'DeleteModel', { restApiId: RestApiId as Json, modelName: physicalId })),
};

const account: ResourceProvider = {
  type: 'AWS::ApiGateway::Account',
  async create(properties, context) {
    await patch(context, 'UpdateAccount', {}, scalarPatches({}, properties, ['CloudWatchRoleArn']).map(asAccountPatch));
    return { physicalId: context.logicalId, attributes: { Id: context.logicalId } };
  },
  async update(existing, properties, context) {
    const patches = scalarPatches(existing.properties, properties, ['CloudWatchRoleArn']);
    await patch(context, 'UpdateAccount', {}, patches.map(asAccountPatch));
    return existing;
  },
  // The account and its setting stay, as on AWS.
  delete: async () => undefined,
};

/** The API writes `cloudwatchRoleArn`. */
function asAccountPatch(operation: Patch): Patch {
  return { ...operation, path: '/cloudwatchRoleArn' };
}

const domainName: ResourceProvider = {
  type: 'AWS::ApiGateway::DomainName',
  async create({ Tags, ...properties }, context) {
    const made = await call(context, 'CreateDomainName', { ...membersOf(properties), tags: tagMap(Tags) });
    return { physicalId: String(properties.DomainName), attributes: domainAttributes(made) };
  },
  async update(existing, properties, context) {
    const address = { domainName: existing.physicalId };
    const scalars = ['CertificateArn', 'RegionalCertificateArn', 'SecurityPolicy'];
    await patch(context, 'UpdateDomainName', address, scalarPatches(existing.properties, properties, scalars));
    return existing;
  },
  delete: ({ physicalId }, context) => ignoreMissing(call(context, 'DeleteDomainName', { domainName: physicalId })),
};

function domainAttributes(domain: Readonly<Record<string, unknown>>): Record<string, Json> {
  const names = [
    'DistributionDomainName',
    'DistributionHostedZoneId',
    'DomainNameArn',
    'RegionalDomainName',
    'RegionalHostedZoneId',
  ];
  return Object.fromEntries(names.map((name) => [name, String(domain[lower(name)] ?? '')]));
}

const basePathMapping: ResourceProvider = {
  type: 'AWS::ApiGateway::BasePathMapping',
  async create(properties, context) {
    await call(context, 'CreateBasePathMapping', pick(properties, ['DomainName', 'BasePath', 'RestApiId', 'Stage']));
    return { physicalId: Object.values(mappingAddress(properties)).join('|'), attributes: {} };
  },
  async update(existing, properties, context) {
    const patches = scalarPatches(existing.properties, properties, ['RestApiId', 'Stage']);
    await patch(context, 'UpdateBasePathMapping', mappingAddress(properties), patches);
    return existing;
  },
  delete: ({ properties }, context) =>
    ignoreMissing(call(context, 'DeleteBasePathMapping', mappingAddress(properties))),
};

function mappingAddress({ DomainName, BasePath }: Properties): Record<string, Json> {
  return { domainName: DomainName as Json, basePath: BasePath === undefined || BasePath === '' ? '(none)' : BasePath };
}

export const REST_API_PROVIDERS: readonly ResourceProvider[] = [
  restApi,
  resource,
  method,
  deployment,
  stage,
  patched('Authorizer', {
    id: 'authorizerId',
    address: ['RestApiId'],
    scalars: [
      'Name',
      'AuthorizerUri',
      'AuthorizerCredentials',
      'AuthorizerResultTtlInSeconds',
      'IdentitySource',
      'IdentityValidationExpression',
      'Type',
    ],
    attribute: 'AuthorizerId',
  }),
  patched('RequestValidator', {
    id: 'requestValidatorId',
    address: ['RestApiId'],
    scalars: ['ValidateRequestBody', 'ValidateRequestParameters'],
    attribute: 'RequestValidatorId',
  }),
  patched('ApiKey', {
    id: 'apiKey',
    address: [],
    scalars: ['Description', 'Enabled', 'CustomerId'],
    attribute: 'APIKeyId',
    naming: { property: 'Name', maxLength: 1024 },
  }),
  usagePlan,
  usagePlanKey,
  gatewayResponse,
  model,
  account,
  domainName,
  basePathMapping,
];
