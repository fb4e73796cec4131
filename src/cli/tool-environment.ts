/**
 * The environment variables with which a tool uses Lamella as its AWS: endpoints, region and keys, and what must not be
 * set because it would lead the tool elsewhere. Tools that know no endpoint variable (version 2 of the AWS SDK for JavaScript,
 * older versions of the AWS CLI and boto3) get a module that is loaded before them.
 * https://docs.aws.amazon.com/sdkref/latest/guide/feature-ss-endpoints.html
 */
import { delimiter, join } from 'node:path';
import type { Environment, ToolOptions } from '../options.ts';
import { variable } from '../options.ts';
import { PACKAGE_DIRECTORY } from '../package-directory.ts';

/** Names that AWS's tools use in `AWS_ENDPOINT_URL_<NAME>`. `AWS_ENDPOINT_URL` covers every other service. */
const ENDPOINT_NAMES = [
  'LAMBDA',
  'IAM',
  'STS',
  'CLOUDWATCH_LOGS',
  'S3',
  'SQS',
  'SNS',
  'CLOUDFORMATION',
  'DYNAMODB',
  'EVENTBRIDGE',
  'SCHEDULER',
  'SSM',
  'SECRETS_MANAGER',
  'API_GATEWAY',
  'APIGATEWAYV2',
  'ELASTIC_LOAD_BALANCING_V2',
  'ECR',
  'CLOUDWATCH',
  'KMS',
] as const;

/** Variables that would lead a tool to other keys, to another region, or away from the endpoint variables. */
const REMOVED = [
  'AWS_PROFILE',
  'AWS_DEFAULT_PROFILE',
  'AWS_SESSION_TOKEN',
  'AWS_SECURITY_TOKEN',
  'AWS_ROLE_ARN',
  'AWS_ROLE_SESSION_NAME',
  'AWS_WEB_IDENTITY_TOKEN_FILE',
  'AWS_CONTAINER_CREDENTIALS_FULL_URI',
  'AWS_CONTAINER_CREDENTIALS_RELATIVE_URI',
  'AWS_CONTAINER_AUTHORIZATION_TOKEN',
  'AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE',
  'AWS_IGNORE_CONFIGURED_ENDPOINT_URLS',
  'AWS_USE_FIPS_ENDPOINT',
  'AWS_USE_DUALSTACK_ENDPOINT',
] as const;

/** Directory of a module that Python loads at its start. It sets the endpoint in older versions of the AWS CLI and boto3. */
const PYTHON_PRELOAD = join(PACKAGE_DIRECTORY, 'bin/python');

/** Reads the endpoint from `AWS_ENDPOINT_URL` and sets it in version 2 of the AWS SDK for JavaScript. */
const SDK_V2_PRELOAD = join(PACKAGE_DIRECTORY, 'bin/aws-sdk-v2-endpoint.cjs');

export type ToolTarget = Pick<ToolOptions, 'endpointUrl' | 'region' | 'accessKeys'> & { readonly accountId?: string };

/** The variables to set, and those to remove (undefined), so that AWS's tools and SDKs use this service. */
export function toolEnvironment(target: ToolTarget): Environment {
  const { accessKeyId, secretAccessKey } = keysOf(target);
  return {
    AWS_ENDPOINT_URL: target.endpointUrl,
    ...Object.fromEntries(ENDPOINT_NAMES.map((name) => [`AWS_ENDPOINT_URL_${name}`, target.endpointUrl])),
    AWS_REGION: target.region,
    AWS_DEFAULT_REGION: target.region,
    AWS_ACCESS_KEY_ID: accessKeyId,
    AWS_SECRET_ACCESS_KEY: secretAccessKey,
    // Without it, a tool whose keys are refused waits for the metadata service of EC2.
    AWS_EC2_METADATA_DISABLED: 'true',
    ...Object.fromEntries(REMOVED.map((name) => [name, undefined])),
  };
}

/** The same with `NODE_OPTIONS` and `PYTHONPATH`, for a program that is started right away. */
export function programEnvironment(target: ToolTarget): Environment {
  const own = `--require ${JSON.stringify(SDK_V2_PRELOAD)}`;
  const inherited = variable('NODE_OPTIONS');
  const modules = variable('PYTHONPATH');
  return {
    ...toolEnvironment(target),
    NODE_OPTIONS: inherited ? `${inherited} ${own}` : own,
    PYTHONPATH: modules ? `${PYTHON_PRELOAD}${delimiter}${modules}` : PYTHON_PRELOAD,
  };
}

/** The key that signs requests to this service: the one that it knows, or Lamella's own. */
export function keysOf({ accessKeys, region }: Pick<ToolTarget, 'accessKeys' | 'region'>) {
  const [pair] = accessKeys;
  const [accessKeyId, secretAccessKey] = pair ?? ['lamella', 'lamella'];
  return { accessKeyId, secretAccessKey, region };
}
