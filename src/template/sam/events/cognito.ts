/** Cognito events: the triggers go into the user pool, which must stand in the same template. */
import { copy, type Json, type JsonObject } from '../../tree.ts';
import { expectMap, isMap, listOf, member, oneOf, PASSED, required, requiredStrict, STRING } from '../checks.ts';
import type { EventKind, EventTarget, SamEvent } from '../context.ts';
import { InvalidEvent } from '../errors.ts';
import { getAtt } from '../intrinsics.ts';
import { pythonStr } from '../python.ts';
import type { CfnResource } from '../resources.ts';
import { foreignResource } from './foreign-resource.ts';
import { invokePermission } from './permission.ts';

export const COGNITO: EventKind = {
  properties: { UserPool: required(STRING), Trigger: requiredStrict(oneOf(STRING, listOf(STRING))) },
  link: ({ eventId, logicalId, properties: { UserPool } }, context) => {
    const poolId = isMap(UserPool) ? UserPool.Ref : undefined;
    if (poolId !== undefined && typeof poolId !== 'string') {
      throw new InvalidEvent(logicalId, 'Ref in Userpool is not a string.');
    }
    const pool = poolId === undefined ? undefined : member(context.resources, poolId);
    if (poolId === undefined || pool === undefined) {
      throw new InvalidEvent(eventId, 'Cognito events must reference a Cognito UserPool in the same template.');
    }
    return (event, target) => translate(event, target, poolId, pool as JsonObject);
  },
};

function translate(event: SamEvent, target: EventTarget, poolId: string, pool: JsonObject): CfnResource[] {
  const permission = invokePermission(target, {
    prefix: `${target.logicalId}Cognito`,
    principal: 'cognito-idp.amazonaws.com',
    sourceArn: getAtt(poolId, 'Arn'),
  });
  addTriggers(event, target, poolId, pool);
  return [permission, foreignResource(poolId, USER_POOL, pool)];
}

function addTriggers({ eventId, properties }: SamEvent, target: EventTarget, poolId: string, pool: JsonObject): void {
  const { Trigger } = properties;
  pool.Properties ??= {};
  const poolProperties = pool.Properties as JsonObject;
  poolProperties.LambdaConfig ??= {};
  const config = expectMap(poolProperties.LambdaConfig, { resource: poolId, path: 'LambdaConfig' });
  for (const trigger of typeof Trigger === 'string' ? [Trigger] : (Trigger as string[])) {
    if (Object.hasOwn(config, trigger)) {
      throw new InvalidEvent(eventId, `Cognito trigger "${pythonStr(Trigger as Json)}" defined multiple times.`);
    }
    config[trigger] = copy(target.arn);
  }
}

/** The properties that AWS's translator knows. */
const USER_POOL = {
  type: 'AWS::Cognito::UserPool',
  properties: Object.fromEntries(
    (
      'AccountRecoverySetting AdminCreateUserConfig AliasAttributes AutoVerifiedAttributes DeletionProtection ' +
      'DeviceConfiguration EmailAuthenticationMessage EmailAuthenticationSubject EmailConfiguration ' +
      'EmailVerificationMessage EmailVerificationSubject EnabledMfas LambdaConfig MfaConfiguration Policies Schema ' +
      'SmsAuthenticationMessage SmsConfiguration SmsVerificationMessage UserAttributeUpdateSettings UsernameAttributes ' +
      'UsernameConfiguration UserPoolAddOns UserPoolName UserPoolTags UserPoolTier VerificationMessageTemplate ' +
      'WebAuthnRelyingPartyID WebAuthnUserVerification'
    )
      .split(' ')
      .map((name) => [name, PASSED] as const),
  ),
};
