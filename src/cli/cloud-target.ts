/**
 * Where `lamella deploy` and its kin go, and with which keys. AWS gets keys of its own default chain, and none that Lamella
 * or another local service made up; an endpoint that is not AWS's gets none of AWS. Both are refused, never replaced by
 * something that happens to work.
 */
import { readFile } from 'node:fs/promises';
import { OperatorError } from '../operator-error.ts';
import { awsConfigFile, CLOUD_OPTIONS, type Given, isGiven, resolveCloudOptions, variable } from '../options.ts';
import type { CloudTarget } from '../project/cloud/cloud-client.ts';
import { keysOf } from './tool-environment.ts';

/** The access key IDs of AWS: long-term keys of users and temporary ones of roles. */
const AWS_KEY = /^A[KS]IA[A-Z0-9]{12,}$/;
/** Hosts of AWS's own services, those of private endpoints in a VPC included. */
const AWS_HOST = /(^|\.)(amazonaws\.com(\.cn)?|api\.aws|amazonaws\.eu)$/;

/** @throws OperatorError 'no-aws-keys', 'usage' */
export async function cloudTarget(given: Given, command: string): Promise<CloudTarget> {
  const { endpointUrl, region, accessKeys } = resolveCloudOptions(given, command);
  const profile = typeof given.profile === 'string' ? given.profile : undefined;
  const isAws = endpointUrl === undefined || AWS_HOST.test(new URL(endpointUrl).hostname);
  if (!isAws) {
    const keys =
      accessKeys.size > 0 || profile === undefined ? keysForService(accessKeys, region) : await chainKeys(profile);
    if (AWS_KEY.test(keys.accessKeyId) && accessKeys.size === 0) {
      throw new OperatorError('no-aws-keys', {
        reason: `keys of AWS are not sent to ${endpointUrl}; give it keys with --access-key`,
      });
    }
    return { endpointUrl, region, ...keys };
  }
  if (accessKeys.size > 0 && isGiven(CLOUD_OPTIONS.accessKeys, given.accessKeys, {})) {
    throw new OperatorError('usage', {
      reason: '--access-key is for --endpoint-url. AWS gets keys of its default chain.',
      command,
    });
  }
  const named = isGiven(CLOUD_OPTIONS.region, given.region) ? region : await regionOfProfile(profile);
  if (named === undefined) {
    throw new OperatorError('usage', { reason: 'Name the region with --region or AWS_REGION.', command });
  }
  const keys = await chainKeys(profile);
  if (!AWS_KEY.test(keys.accessKeyId)) {
    throw new OperatorError('no-aws-keys', { reason: `"${keys.accessKeyId}" is not an access key of AWS` });
  }
  return { endpointUrl, region: named, ...keys };
}

/** Whether a target is AWS itself. */
export function isAwsTarget({ endpointUrl }: CloudTarget): boolean {
  return endpointUrl === undefined || AWS_HOST.test(new URL(endpointUrl).hostname);
}

type Keys = Pick<CloudTarget, 'accessKeyId' | 'secretAccessKey' | 'sessionToken'>;

/** Those that the service knows, or those of the environment if they are not AWS's, or Lamella's own. */
function keysForService(accessKeys: ReadonlyMap<string, string>, region: string): Keys {
  const { accessKeyId, secretAccessKey } = keysOf({ accessKeys, region });
  const [id, secret] = [variable('AWS_ACCESS_KEY_ID'), variable('AWS_SECRET_ACCESS_KEY')];
  if (accessKeys.size > 0 || !id || !secret || AWS_KEY.test(id)) return { accessKeyId, secretAccessKey };
  return { accessKeyId: id, secretAccessKey: secret };
}

async function chainKeys(profile: string | undefined): Promise<Keys> {
  const { defaultProvider } = await import('@aws-sdk/credential-provider-node');
  const keys = await defaultProvider(profile === undefined ? {} : { profile })().catch((failure: Error) => {
    throw new OperatorError('no-aws-keys', { reason: failure.message.replace(/\.$/, '') }, failure);
  });
  return { accessKeyId: keys.accessKeyId, secretAccessKey: keys.secretAccessKey, sessionToken: keys.sessionToken };
}

/** `region` of the profile in AWS's configuration file. */
async function regionOfProfile(given: string | undefined): Promise<string | undefined> {
  const profile = given ?? variable('AWS_PROFILE') ?? 'default';
  const text = await readFile(awsConfigFile(), 'utf8').catch(() => '');
  let isWanted = false;
  for (const line of text.split('\n')) {
    const section = /^\s*\[\s*(?:profile\s+)?["']?([^\]"']+?)["']?\s*\]/.exec(line)?.[1];
    if (section !== undefined) isWanted = section === profile;
    const region = /^region\s*=\s*(\S+)/.exec(line)?.[1];
    if (isWanted && region !== undefined) return region;
  }
  return undefined;
}
