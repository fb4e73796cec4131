/** FunctionUrlConfig: the URL, and with AuthType NONE the two permissions that open it to everyone. */
import type { Json, JsonObject } from '../../tree.ts';
import { expectMap } from '../checks.ts';
import { InvalidResource } from '../errors.ts';
import { isIntrinsic } from '../intrinsics.ts';
import { isTruthy } from '../python.ts';
import { type CfnResource, cfnResource, refOf, type SamResource } from '../resources.ts';

/**
 * @param target the alias, or the function
 * @throws InvalidResource for an AuthType or a Cors that the URL cannot have
 */
export function functionUrl(resource: SamResource, target: CfnResource): CfnResource[] {
  const { logicalId, passedAttributes, properties } = resource;
  const config = properties.FunctionUrlConfig as JsonObject;
  checkAuthType(logicalId, config);
  checkCors(logicalId, config);
  const url = cfnResource('AWS::Lambda::Url', `${logicalId}Url`, passedAttributes, {
    Cors: isTruthy(config.Cors) ? config.Cors : undefined,
    AuthType: config.AuthType,
    TargetFunctionArn: refOf(target),
    InvokeMode: config.InvokeMode,
  });
  if (config.AuthType !== 'NONE' || isIntrinsic(config)) return [url];
  const open = (suffix: string, rest: JsonObject): CfnResource =>
    cfnResource('AWS::Lambda::Permission', `${logicalId}${suffix}`, passedAttributes, {
      FunctionName: refOf(target),
      Principal: '*',
      ...rest,
    });
  return [
    url,
    open('UrlPublicPermissions', { Action: 'lambda:InvokeFunctionUrl', FunctionUrlAuthType: 'NONE' }),
    open('URLInvokeAllowPublicAccess', { Action: 'lambda:InvokeFunction', InvokedViaFunctionUrl: true }),
  ];
}

function checkAuthType(logicalId: string, config: JsonObject): void {
  if (isIntrinsic(config) || isIntrinsic(config.AuthType)) return;
  if (config.AuthType === 'AWS_IAM' || config.AuthType === 'NONE') return;
  throw new InvalidResource(
    logicalId,
    'AuthType is required to configure function property `FunctionUrlConfig`. Please provide either AWS_IAM or NONE.',
  );
}

const CORS_TYPES: Readonly<Record<string, 'list' | 'bool' | 'int'>> = {
  AllowOrigins: 'list',
  AllowMethods: 'list',
  AllowCredentials: 'bool',
  AllowHeaders: 'list',
  ExposeHeaders: 'list',
  MaxAge: 'int',
};

function checkCors(logicalId: string, config: JsonObject): void {
  if (isIntrinsic(config) || !isTruthy(config.Cors) || isIntrinsic(config.Cors)) return;
  const cors = expectMap(config.Cors, { resource: logicalId, path: 'FunctionUrlConfig.Cors' });
  for (const [name, value] of Object.entries(cors)) {
    const type = Object.hasOwn(CORS_TYPES, name) ? CORS_TYPES[name] : undefined;
    if (type === undefined) {
      throw new InvalidResource(logicalId, `${name} is not a valid property for configuring Cors.`);
    }
    if (!isIntrinsic(value) && !hasType(value, type)) {
      throw new InvalidResource(logicalId, `${name} must be of type ${type}.`);
    }
  }
}

function hasType(value: Json, type: 'list' | 'bool' | 'int'): boolean {
  if (type === 'list') return Array.isArray(value);
  return typeof value === 'boolean' || (type === 'int' && Number.isInteger(value));
}
