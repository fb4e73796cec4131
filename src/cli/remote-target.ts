/**
 * `--remote`: AWS itself, with the keys of AWS's default credential chain (environment, shared files, SSO, roles). The
 * endpoint variables have no effect then, and keys that Lamella or other local services made up are never sent.
 * https://docs.aws.amazon.com/sdkref/latest/guide/standardized-credentials.html
 */
import { defaultProvider } from '@aws-sdk/credential-provider-node';
import { OperatorError } from '../operator-error.ts';
import type { Given } from '../options.ts';
import { isGiven, resolveToolOptions, TOOL_OPTIONS } from '../options.ts';
import type { ApiTarget } from './api-client.ts';
import { awsUrlOf } from './aws-hosts.ts';

/** The access key IDs of AWS: long-term keys of users and temporary ones of roles. */
const AWS_KEY = /^A[KS]IA[A-Z0-9]{12,}$/;

/** @throws OperatorError 'no-aws-keys' or 'usage' */
export async function remoteTarget(given: Given, command: string): Promise<ApiTarget> {
  // An endpoint in a configuration file or a variable is for the service here.
  if (typeof given.endpointUrl === 'string') {
    throw new OperatorError('usage', { reason: 'Give either --remote or --endpoint-url.', command });
  }
  const profile = typeof given.profile === 'string' ? given.profile : undefined;
  const region = regionOf(given, command);
  if (region === undefined) {
    throw new OperatorError('usage', { reason: 'Name the region with --region or AWS_REGION.', command });
  }
  const keys = await defaultProvider(profile === undefined ? {} : { profile })().catch((failure: Error) => {
    throw new OperatorError('no-aws-keys', { reason: failure.message.replace(/\.$/, '') }, failure);
  });
  if (!AWS_KEY.test(keys.accessKeyId)) {
    throw new OperatorError('no-aws-keys', { reason: `"${keys.accessKeyId}" is not an access key of AWS` });
  }
  return {
    endpointUrl: awsUrlOf('lambda', region),
    region,
    accessKeyId: keys.accessKeyId,
    secretAccessKey: keys.secretAccessKey,
    sessionToken: keys.sessionToken,
    isRemote: true,
  };
}

/** Without a default: a command must not go to a region that the user did not name. */
function regionOf(given: Given, command: string): string | undefined {
  return isGiven(TOOL_OPTIONS.region, given.region) ? resolveToolOptions(given, command).region : undefined;
}
