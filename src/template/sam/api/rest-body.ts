/** What the properties of a REST API put into its body: Cors, Auth, GatewayResponses, BinaryMediaTypes, Models, and OpenAPI 3. */
import type { Json, JsonObject } from '../../tree.ts';
import { expectMap, isMap, member } from '../checks.ts';
import type { SamContext } from '../context.ts';
import { InvalidResource, InvalidTemplate } from '../errors.ts';
import { isIntrinsic } from '../intrinsics.ts';
import { isTruthy, pythonStr } from '../python.ts';
import { type ApiBody, expectPathItem, expectPythonMap, invalidBody, isOpenApi3 } from './body-paths.ts';
import { checkGatewayResponses, gatewayResponses } from './gateway-response.ts';
import {
  fromTemplate,
  isPythonMap,
  isTrue,
  own,
  ownMap,
  PythonMap,
  type PythonValue,
  print,
} from './python27-values.ts';
import { addCustomStatements, addResourcePolicy, expectPolicy } from './resource-policy.ts';
import { iamAuthorizer, type RestAuthorizer, restAuthorizer } from './rest-authorizer.ts';
import {
  addBinaryMediaTypes,
  addCors,
  addGatewayResponses,
  addModels,
  closeSwagger,
  isSwagger,
  openSwagger,
  type SwaggerEdit,
  setExecuteApiEndpoint,
} from './swagger.ts';
import {
  addApiKeyDefinition,
  addAuthorizers,
  setDefaultApiKeyRequired,
  setDefaultAuthorizer,
} from './swagger-security.ts';

/** A REST API with its body. Properties are those after Globals, with parameters resolved. */
export interface RestApi {
  readonly logicalId: string;
  readonly properties: JsonObject;
  readonly body: ApiBody | undefined;
  readonly stageName: PythonValue;
  /** Reads a value with its maps in the order of the translator. */
  readonly read: (value: Json) => PythonValue;
  readonly context: SamContext;
}

/** @throws InvalidResource or InvalidDocument */
export function writeRestBody(api: RestApi): void {
  const { properties } = api;
  if (isTruthy(properties.Cors)) writeCors(api, properties.Cors as Json);
  if (isTruthy(properties.Auth)) writeAuth(api, properties.Auth as JsonObject);
  if (isTruthy(properties.GatewayResponses)) writeGatewayResponses(api, properties.GatewayResponses as JsonObject);
  if (isTruthy(properties.BinaryMediaTypes) && hasBody(api)) {
    edit(api, (opened) => addBinaryMediaTypes(opened, fromTemplate(properties.BinaryMediaTypes as Json)));
  }
  if (isTruthy(properties.Models)) writeModels(api, properties.Models as JsonObject);
}

/** @throws InvalidResource without a body */
export function writeExecuteApiEndpoint(api: RestApi): void {
  const isDisabled = member(api.properties, 'DisableExecuteApiEndpoint') ?? null;
  if (isDisabled === null) return;
  requireBody(api, "DisableExecuteApiEndpoint works only within 'DefinitionBody' property.");
  edit(api, (opened) => setExecuteApiEndpoint(opened, fromTemplate(isDisabled)));
}

const hasBody = ({ body }: RestApi): boolean => body !== undefined && body.doc.size > 0;

function requireBody(api: RestApi, problem: string): void {
  if (!hasBody(api)) throw new InvalidResource(api.logicalId, problem);
}

function requireSwagger(api: RestApi, what: string): void {
  if (isSwagger(api.body?.doc)) return;
  const problem = "because 'DefinitionBody' does not contain a valid Swagger definition.";
  throw new InvalidResource(api.logicalId, `Unable to add ${what} ${problem}`);
}

function edit(api: RestApi, change: (opened: SwaggerEdit) => void): void {
  const opened = openSwagger(api.body);
  change(opened);
  closeSwagger(opened);
}

const CORS_PROPERTIES = ['AllowMethods', 'AllowHeaders', 'AllowOrigin', 'MaxAge', 'AllowCredentials'];

function writeCors(api: RestApi, cors: Json): void {
  const { logicalId } = api;
  requireBody(api, "Cors works only with inline Swagger specified in 'DefinitionBody' property.");
  const isOrigin = typeof cors === 'string' || isIntrinsic(cors);
  if (!isOrigin && !isMap(cors)) throw new InvalidResource(logicalId, "Invalid value for 'Cors' property");
  const settings: JsonObject = isOrigin ? { AllowOrigin: cors } : (cors as JsonObject);
  const unknown = api.context.keysOf(settings).find((key) => !CORS_PROPERTIES.includes(key));
  if (unknown !== undefined) throw new InvalidResource(logicalId, `Invalid key '${unknown}' for 'Cors' property.`);
  requireSwagger(api, 'Cors configuration');
  const setting = (name: string): PythonValue => fromTemplate(member(settings, name) ?? null);
  const origin = Object.hasOwn(settings, 'AllowOrigin') ? setting('AllowOrigin') : own("'*'");
  const areCredentialsAllowed = settings.AllowCredentials === true;
  if (areCredentialsAllowed && print(origin) === "'*'") {
    const problem = "because 'AllowCredentials' can not be true when 'AllowOrigin' is \"'*'\" or not set";
    throw new InvalidResource(logicalId, `Unable to add Cors configuration ${problem}`);
  }
  const headers = {
    origin,
    headers: setting('AllowHeaders'),
    methods: setting('AllowMethods'),
    maxAge: setting('MaxAge'),
    areCredentialsAllowed,
  };
  edit(api, (opened) => {
    // API Gateway takes /path and /path/ for one resource.
    const seen = new Set<string>();
    for (const path of opened.paths.keys()) {
      const normal = path === '/' ? path : path.replace(/(?<!\/)\/+$/, '');
      if (seen.has(normal)) continue;
      seen.add(normal);
      try {
        addCors(opened, path, headers);
      } catch (error) {
        throw error instanceof InvalidTemplate ? new InvalidResource(logicalId, error.message) : error;
      }
    }
  });
}

const AUTH_PROPERTIES = [
  'Authorizers',
  'DefaultAuthorizer',
  'InvokeRole',
  'AddDefaultAuthorizerToCorsPreflight',
  'AddApiKeyRequiredToCorsPreflight',
  'ApiKeyRequired',
  'ResourcePolicy',
  'UsagePlan',
];

function writeAuth(api: RestApi, auth: JsonObject): void {
  const { logicalId } = api;
  requireBody(api, "Auth works only with inline Swagger specified in 'DefinitionBody' property.");
  if (!Object.keys(auth).every((key) => AUTH_PROPERTIES.includes(key))) {
    throw new InvalidResource(logicalId, "Invalid value for 'Auth' property");
  }
  requireSwagger(api, 'Auth configuration');
  edit(api, (opened) => {
    const authorizers = restAuthorizers(api, auth, member(auth, 'DefaultAuthorizer'));
    if (authorizers.length > 0) {
      addAuthorizers(opened, authorizers);
      writeDefaultAuthorizer(api, opened, auth, authorizers);
    }
    if (isTruthy(auth.ApiKeyRequired)) {
      addApiKeyDefinition(opened);
      for (const path of opened.paths.keys()) {
        setDefaultApiKeyRequired(opened, path, isUnlessFalse(auth, 'AddApiKeyRequiredToCorsPreflight'));
      }
    }
    if (isTruthy(auth.ResourcePolicy)) {
      const policy = expectPolicy(auth.ResourcePolicy);
      const stage = api.stageName;
      for (const path of opened.paths.keys()) addResourcePolicy(opened, policy, path, stage);
      if (isTruthy(policy.CustomStatements)) addCustomStatements(opened, policy.CustomStatements as Json);
    }
  });
  writeOpenApi3(api);
}

/** A flag that is true where it is not given. */
const isUnlessFalse = (auth: JsonObject, name: string): boolean => !Object.hasOwn(auth, name) || isTruthy(auth[name]);

function writeDefaultAuthorizer(
  { logicalId }: RestApi,
  opened: SwaggerEdit,
  auth: JsonObject,
  authorizers: readonly RestAuthorizer[],
): void {
  const name = member(auth, 'DefaultAuthorizer');
  if (!isTruthy(name)) return;
  if (typeof name !== 'string') throw new InvalidResource(logicalId, 'DefaultAuthorizer is not a string.');
  if (name !== 'AWS_IAM' && !authorizers.some((authorizer) => authorizer.name === name)) {
    const problem = `because '${name}' was not defined in 'Authorizers'.`;
    throw new InvalidResource(logicalId, `Unable to set DefaultAuthorizer ${problem}`);
  }
  const includesPreflight = isUnlessFalse(auth, 'AddDefaultAuthorizerToCorsPreflight');
  for (const path of opened.paths.keys()) setDefaultAuthorizer(opened, path, name, authorizers, includesPreflight);
}

/** The authorizers of an `Auth` in the order of their map. @throws InvalidResource */
export function restAuthorizers(
  { logicalId, context }: RestApi,
  auth: JsonObject,
  defaultAuthorizer?: Json,
): readonly RestAuthorizer[] {
  const found = new PythonMap();
  const authorizers = new Map<string, RestAuthorizer>();
  const add = (authorizer: RestAuthorizer) => {
    found.set(authorizer.name, null);
    authorizers.set(authorizer.name, authorizer);
  };
  if (defaultAuthorizer === 'AWS_IAM') add(iamAuthorizer('AWS_IAM'));
  if (isTruthy(auth.Authorizers)) {
    const configs = expectMap(auth.Authorizers, { resource: logicalId, path: 'Auth.Authorizers' });
    for (const name of context.keysOf(configs)) {
      const config = expectMap(configs[name], { resource: logicalId, path: `Auth.Authorizers.${name}` });
      add(restAuthorizer(logicalId, name, config, context.partition));
    }
  }
  return found.keys().map((name) => authorizers.get(name) as RestAuthorizer);
}

function writeGatewayResponses(api: RestApi, responses: JsonObject): void {
  requireBody(api, "GatewayResponses works only with inline Swagger specified in 'DefinitionBody' property.");
  checkGatewayResponses(api.logicalId, responses, api.context);
  requireSwagger(api, 'Auth configuration');
  edit(api, (opened) => addGatewayResponses(opened, gatewayResponses(api.logicalId, responses, api.context, api.read)));
}

function writeModels(api: RestApi, models: JsonObject): void {
  const { logicalId, context } = api;
  requireBody(api, "Models works only with inline Swagger specified in 'DefinitionBody' property.");
  requireSwagger(api, 'Models definitions');
  if (!Object.values(models).every(isMap)) throw new InvalidResource(logicalId, "Invalid value for 'Models' property");
  edit(api, (opened) =>
    addModels(
      opened,
      context.keysOf(models).map((name) => [name, fromTemplate(models[name] as Json) as PythonMap] as const),
    ),
  );
  writeOpenApi3(api);
}

/** In a body of OpenAPI 3, moves what has another place than in Swagger 2. */
export function writeOpenApi3({ body, properties }: RestApi): void {
  if (body === undefined || (body.doc.get('swagger') ?? null) !== null) return;
  const { doc } = body;
  const asked = member(properties, 'OpenApiVersion') ?? null;
  const version = asked === null ? print(doc.get('openapi')) : pythonStr(asked);
  if (!isOpenApi3(version)) return;
  moveToComponents(doc, 'securityDefinitions', 'securitySchemes');
  moveToComponents(doc, 'definitions', 'schemas');
  const paths = doc.get('paths');
  if (!isTrue(paths)) return;
  const map = expectPythonMap(paths, 'Value of paths must be a dictionary according to Swagger spec.');
  for (const [path, value] of map.entries()) {
    const options = expectPathItem(value, path).get('options');
    if (!isTrue(options)) continue;
    const problem = `Value of options method for path ${path} must be a dictionary according to Swagger spec.`;
    writePreflight(path, expectPythonMap(options, problem));
  }
}

function moveToComponents(doc: PythonMap, from: string, to: string): void {
  const moved = doc.get(from);
  if (moved === undefined || !isTrue(moved)) return;
  const present = doc.get('components');
  const components = isPythonMap(present) && present.size > 0 ? present : new PythonMap();
  components.set(own(to), moved);
  doc.set(own('components'), components);
  doc.delete(from);
}

function writePreflight(path: string, options: PythonMap): void {
  for (const field of options.keys()) {
    if (field === 'produces' || field === 'consumes') options.delete(field);
    if (field !== 'responses') continue;
    const headers = headersOf(path, options.get(field));
    if (!isTrue(headers)) continue;
    const problem = `Value of response's headers in options method for path ${path} must be a dictionary according to Swagger spec.`;
    const map = expectPythonMap(headers, problem);
    for (const [name, value] of map.entries()) map.set(name, ownMap({ schema: value }));
  }
}

function headersOf(path: string, responses: PythonValue | undefined): PythonValue | undefined {
  const expect = (value: PythonValue | undefined, problem: string): PythonMap | undefined => {
    if ((value ?? null) === null) return undefined;
    if (!isPythonMap(value)) throw invalidBody(`Invalid responses in options method for path ${path}: ${problem}.`);
    return value;
  };
  const ok = expect(expect(responses, 'It should be a map')?.get('200'), "The value of '200' should be a map");
  return ok?.get('headers');
}
