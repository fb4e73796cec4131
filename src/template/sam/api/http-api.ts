/** `AWS::Serverless::HttpApi`: the HTTP API with its stage, and what `Auth` and `Domain` add. */
import type { Json, JsonObject } from '../../tree.ts';
import {
  BOOLEAN,
  expectMap,
  expectString,
  isMap,
  MAP,
  member,
  oneOf,
  optional,
  PASSED,
  type PropertyTable,
  STRING,
} from '../checks.ts';
import type { ResourceKind, SamContext, Translation } from '../context.ts';
import { InvalidResource } from '../errors.ts';
import { isIntrinsic, isNoValue, ref } from '../intrinsics.ts';
import { hashOf, isTruthy } from '../python.ts';
import { type CfnResource, cfnResource, propagateTags, type SamResource } from '../resources.ts';
import { type ApiState, MANAGED } from './api-state.ts';
import type { ApiBody } from './body-paths.ts';
import { HTTP_IAM_AUTHORIZER, type HttpAuthorizer, httpAuthorizer } from './http-authorizer.ts';
import { domainOf, httpDomain } from './http-domain.ts';
import {
  addSecuritySchemes,
  addTags,
  closeOpenApi,
  DEFAULT_PATH,
  type HttpCors,
  isDefaultTitle,
  isOpenApi,
  type OpenApiEdit,
  openOpenApi,
  setDefaultHttpAuthorizer,
  setDescription,
  setHttpCors,
  setHttpExecuteApiEndpoint,
  setTitle,
} from './openapi.ts';
import { fromTemplate, isPythonMap, isTrue, toTemplate } from './python27-values.ts';
import { authorizerPermission, bodyLocation } from './rest-api.ts';
import { PARTITION } from './template-arns.ts';

const PROPERTIES: PropertyTable = {
  [MANAGED]: optional(BOOLEAN),
  Name: PASSED,
  StageName: optional(oneOf(STRING, MAP)),
  Tags: optional(MAP),
  PropagateTags: optional(BOOLEAN),
  DefinitionBody: optional(MAP),
  DefinitionUri: optional(oneOf(STRING, MAP)),
  StageVariables: optional(MAP),
  CorsConfiguration: optional(oneOf(BOOLEAN, MAP)),
  AccessLogSettings: optional(MAP),
  DefaultRouteSettings: optional(MAP),
  Auth: optional(MAP),
  RouteSettings: optional(MAP),
  Domain: optional(MAP),
  FailOnWarnings: optional(BOOLEAN),
  Description: optional(STRING),
  DisableExecuteApiEndpoint: optional(BOOLEAN),
};

const TAG = 'httpapi:createdBy';

/** An HTTP API with its body. */
interface HttpApi {
  readonly logicalId: string;
  readonly properties: JsonObject;
  readonly body: ApiBody | undefined;
  readonly context: SamContext;
}

export function httpApiKind(state: ApiState): ResourceKind {
  return {
    type: 'AWS::Serverless::HttpApi',
    properties: PROPERTIES,
    references: { Stage: 'AWS::ApiGatewayV2::Stage', DomainName: 'AWS::ApiGatewayV2::DomainName' },
    translate: (resource, context) => translate(resource, context, state),
  };
}

function translate(resource: SamResource, context: SamContext, state: ApiState): Translation {
  const { logicalId, passedAttributes } = resource;
  const properties: JsonObject = { ...resource.properties };
  for (const name of ['CorsConfiguration', 'Domain']) {
    const resolved = context.resolveParameters(member(properties, name));
    if (resolved !== undefined) properties[name] = resolved;
  }
  const body = state.bodyOf(logicalId, resource.properties);
  const api: HttpApi = { logicalId, properties, body, context };
  const tags = tagsOf(api);
  const httpApi = httpApiResource(resource, api, tags);
  const configured = domainOf(logicalId, member(properties, 'Domain'));
  const domain = configured === undefined ? [] : httpDomain(resource, configured, TAG, state.recordSetGroups);
  const permissions = isMap(properties.Auth) && isTruthy(properties.Auth) ? permissionsOf(resource, api) : [];
  const name = isTruthy(properties.StageName) ? (properties.StageName as Json) : DEFAULT_PATH;
  const stage = cfnResource('AWS::ApiGatewayV2::Stage', stageId(logicalId, name), passedAttributes, {
    ApiId: ref(logicalId),
    StageName: name,
    StageVariables: member(properties, 'StageVariables'),
    AccessLogSettings: member(properties, 'AccessLogSettings'),
    DefaultRouteSettings: member(properties, 'DefaultRouteSettings'),
    RouteSettings: member(properties, 'RouteSettings'),
    Tags: tags,
    AutoDeploy: true,
  });
  const resources = [httpApi, ...permissions, ...domain, stage];
  // Tags of the template go to the domain and the stage, unless the API's definition is in S3.
  const isDefined = (member(properties, 'DefinitionBody') ?? null) !== null;
  propagateTags(resources, isTruthy(properties.Tags) ? tags : undefined, isDefined);
  return { resources };
}

function stageId(logicalId: string, name: Json): string {
  const text = typeof name === 'string' ? name : '';
  if (/^[\p{L}\p{N}]+$/u.test(text)) return `${logicalId}${text}Stage`;
  return text === DEFAULT_PATH ? `${logicalId}ApiGatewayDefaultStage` : `${logicalId}Stage${hashOf(text)}`;
}

const hasMembers = (body: ApiBody | undefined): body is ApiBody => body !== undefined && body.doc.size > 0;

/** The API's tags and SAM's own; without a body they stay as they are. */
function tagsOf({ properties, body }: HttpApi): Json | undefined {
  const tags = member(properties, 'Tags');
  if (!hasMembers(body) || !isOpenApi(body.doc)) return tags;
  return { ...(isMap(tags) ? tags : {}), [TAG]: 'SAM' };
}

function httpApiResource({ attributes, dependsOn }: SamResource, api: HttpApi, tags: Json | undefined): CfnResource {
  const { logicalId, properties, body } = api;
  const isUri = isTruthy(properties.DefinitionUri);
  if (isUri && hasMembers(body)) {
    const problem = "Specify either 'DefinitionUri' or 'DefinitionBody' property and not both.";
    throw new InvalidResource(logicalId, problem);
  }
  const resource = cfnResource('AWS::ApiGatewayV2::Api', logicalId, attributes);
  resource.dependsOn = dependsOn;
  if (isTruthy(properties.CorsConfiguration)) writeCors(api, properties.CorsConfiguration as Json);
  if (isTruthy(properties.Auth)) writeAuth(api, properties.Auth as JsonObject);
  writeTags(api, tags);
  if (isTruthy(properties.FailOnWarnings)) resource.properties.FailOnWarnings = properties.FailOnWarnings;
  writeExecuteApiEndpoint(api);
  if (isTruthy(properties.Name)) writeTitle(api, properties.Name as Json);
  if (isTruthy(properties.Description)) writeDescription(api, properties.Description as Json);
  if (isTruthy(properties.FailOnWarnings)) renameDefaultPath(body);
  if (isUri) {
    resource.properties.BodyS3Location = toTemplate(bodyLocation(logicalId, properties.DefinitionUri as Json));
  } else if (hasMembers(body)) {
    resource.properties.Body = toTemplate(body.doc);
  } else {
    throw new InvalidResource(
      logicalId,
      "'DefinitionUri' or 'DefinitionBody' are required properties of an 'AWS::Serverless::HttpApi'. Add a value for one of these properties or add a 'HttpApi' event to an 'AWS::Serverless::Function'.",
    );
  }
  return resource;
}

function requireBody({ logicalId, body }: HttpApi, problem: string): void {
  if (!hasMembers(body)) throw new InvalidResource(logicalId, problem);
}

function edit(api: HttpApi, change: (opened: OpenApiEdit) => void): void {
  const opened = openOpenApi(api.body);
  change(opened);
  closeOpenApi(opened);
}

const NO_CORS: HttpCors = {
  AllowMethods: null,
  AllowHeaders: null,
  AllowOrigins: null,
  MaxAge: null,
  ExposeHeaders: null,
  AllowCredentials: false,
};

function writeCors(api: HttpApi, configuration: Json): void {
  const { logicalId } = api;
  requireBody(api, "Cors works only with inline OpenApi specified in 'DefinitionBody' property.");
  const cors = corsOf(api, configuration);
  if (!isOpenApi(api.body?.doc)) {
    const problem = "because 'DefinitionBody' does not contain a valid OpenApi definition.";
    throw new InvalidResource(logicalId, `Unable to add Cors configuration ${problem}`);
  }
  const origins = cors.AllowOrigins;
  const areAllOrigins = Array.isArray(origins) && origins.length === 1 && origins[0] === '*';
  if (cors.AllowCredentials === true && areAllOrigins) {
    const problem = "because 'AllowCredentials' can not be true when 'AllowOrigin' is \"'*'\" or not set.";
    throw new InvalidResource(logicalId, `Unable to add Cors configuration ${problem}`);
  }
  edit(api, (opened) => setHttpCors(opened, cors));
}

function corsOf({ logicalId, context }: HttpApi, configuration: Json): HttpCors {
  if (typeof configuration === 'boolean') return { ...NO_CORS, AllowOrigins: ['*'] };
  if (isIntrinsic(configuration)) return { ...NO_CORS, AllowOrigins: configuration };
  if (!isMap(configuration)) throw new InvalidResource(logicalId, "Invalid value for 'Cors' property.");
  const unknown = context.keysOf(configuration).find((key) => !Object.hasOwn(NO_CORS, key));
  if (unknown !== undefined) throw new InvalidResource(logicalId, `Invalid key '${unknown}' for 'Cors' property.`);
  return { ...NO_CORS, ...configuration };
}

const AUTH_PROPERTIES = ['Authorizers', 'DefaultAuthorizer', 'EnableIamAuthorizer'];

function writeAuth(api: HttpApi, auth: JsonObject): void {
  const { logicalId } = api;
  requireBody(api, "Auth works only with inline OpenApi specified in the 'DefinitionBody' property.");
  if (!Object.keys(auth).every((key) => AUTH_PROPERTIES.includes(key))) {
    throw new InvalidResource(logicalId, "Invalid value for 'Auth' property");
  }
  if (!isOpenApi(api.body?.doc)) {
    const problem = "because 'DefinitionBody' does not contain a valid OpenApi definition.";
    throw new InvalidResource(logicalId, `Unable to add Auth configuration ${problem}`);
  }
  edit(api, (opened) => {
    const authorizers = authorizersOf(api, auth);
    addSecuritySchemes(
      opened,
      authorizers.map(({ name, scheme }) => [name, scheme()] as const),
    );
    const name = member(auth, 'DefaultAuthorizer');
    if (!isTruthy(name) || isNoValue(name)) return;
    const text = expectString(name, { resource: logicalId, path: 'Auth.DefaultAuthorizer' });
    const authorizer = authorizers.find((each) => each.name === text);
    if (authorizer === undefined) {
      const problem = `because '${text}' was not defined in 'Authorizers'.`;
      throw new InvalidResource(logicalId, `Unable to set DefaultAuthorizer ${problem}`);
    }
    for (const path of opened.paths.keys()) setDefaultHttpAuthorizer(opened, path, text, authorizer.scopes);
  });
}

function authorizersOf({ logicalId, context }: HttpApi, auth: JsonObject): HttpAuthorizer[] {
  const authorizers = new Map<string, HttpAuthorizer>();
  if (auth.EnableIamAuthorizer === true) authorizers.set('AWS_IAM', HTTP_IAM_AUTHORIZER);
  if (isTruthy(auth.Authorizers)) {
    const configs = expectMap(auth.Authorizers, { resource: logicalId, path: 'Auth.Authorizers' });
    for (const name of context.keysOf(configs)) {
      const config = expectMap(configs[name], { resource: logicalId, path: `Auth.Authorizers.${name}` });
      authorizers.set(name, httpAuthorizer(logicalId, name, config, context.partition));
    }
  }
  return [...authorizers.values()];
}

function permissionsOf({ passedAttributes }: SamResource, api: HttpApi): CfnResource[] {
  return authorizersOf(api, api.properties.Auth as JsonObject)
    .filter(({ permittedFunction }) => isTruthy(permittedFunction))
    .map(({ name, permittedFunction }) =>
      authorizerPermission(
        `${api.logicalId}${name}AuthorizerPermission`,
        passedAttributes,
        permittedFunction as Json,
        PARTITION,
        ref(api.logicalId),
      ),
    );
}

function writeTags(api: HttpApi, tags: Json | undefined): void {
  const { logicalId, properties, body } = api;
  if (isTruthy(properties.Tags)) {
    requireBody(api, "Tags works only with inline OpenApi specified in the 'DefinitionBody' property.");
    if (!isOpenApi(body?.doc)) {
      const problem = "because 'DefinitionBody' does not contain a valid OpenApi definition.";
      throw new InvalidResource(logicalId, `Unable to add \`Tags\` ${problem}`);
    }
  }
  if (!isOpenApi(body?.doc) || !isMap(tags)) return;
  edit(api, (opened) =>
    addTags(
      opened,
      Object.entries(tags).map(([name, value]) => [name, fromTemplate(value)] as const),
    ),
  );
}

function writeExecuteApiEndpoint(api: HttpApi): void {
  const isDisabled = member(api.properties, 'DisableExecuteApiEndpoint') ?? null;
  if (isDisabled === null) return;
  requireBody(api, "DisableExecuteApiEndpoint works only within 'DefinitionBody' property.");
  edit(api, (opened) => setHttpExecuteApiEndpoint(opened, fromTemplate(isDisabled)));
}

function writeTitle(api: HttpApi, title: Json): void {
  requireBody(api, "Name works only with inline OpenApi specified in the 'DefinitionBody' property.");
  const info = infoOf(api, '.');
  if (!isDefaultTitle(info?.get('title'))) throw alreadyDefined(api, 'Name');
  edit(api, (opened) => setTitle(opened, fromTemplate(title)));
}

function writeDescription(api: HttpApi, description: Json): void {
  requireBody(api, "Description works only with inline OpenApi specified in the 'DefinitionBody' property.");
  const info = infoOf(api, "'.");
  if (isTrue(info?.get('description'))) throw alreadyDefined(api, 'Description');
  edit(api, (opened) => setDescription(opened, fromTemplate(description)));
}

/** `info` of the body. @throws InvalidResource if it is not a map; the message ends as AWS's does */
function infoOf({ logicalId, body }: HttpApi, end: string) {
  const info = body?.doc.get('info') ?? null;
  if (info === null || isPythonMap(info)) return info;
  throw new InvalidResource(logicalId, `Invalid 'DefinitionBody': The value of 'info' should be a map${end}`);
}

function alreadyDefined({ logicalId }: HttpApi, name: string): InvalidResource {
  const problem = "because it is already defined within inline OpenAPI specified in the 'DefinitionBody' property.";
  return new InvalidResource(logicalId, `Unable to set ${name} ${problem}`);
}

/** API Gateway warns of the path `$default`, which has no slash. */
function renameDefaultPath(body: ApiBody | undefined): void {
  const paths = body?.doc.get('paths');
  if (!isPythonMap(paths)) return;
  const value = paths.get(DEFAULT_PATH);
  if (value === undefined) return;
  paths.delete(DEFAULT_PATH);
  paths.set(`/${DEFAULT_PATH}`, value);
}
