/**
 * Environment variables that Lambda reserves: a function's configuration may not set them.
 * https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html#configuration-envvars-runtime
 */

export const RESERVED_ENVIRONMENT_VARIABLES: ReadonlySet<string> = new Set([
  '_HANDLER',
  '_X_AMZN_TRACE_ID',
  'AWS_DEFAULT_REGION',
  'AWS_REGION',
  'AWS_EXECUTION_ENV',
  'AWS_LAMBDA_FUNCTION_NAME',
  'AWS_LAMBDA_FUNCTION_MEMORY_SIZE',
  'AWS_LAMBDA_FUNCTION_VERSION',
  'AWS_LAMBDA_INITIALIZATION_TYPE',
  'AWS_LAMBDA_LOG_GROUP_NAME',
  'AWS_LAMBDA_LOG_STREAM_NAME',
  'AWS_ACCESS_KEY',
  'AWS_ACCESS_KEY_ID',
  'AWS_SECRET_ACCESS_KEY',
  'AWS_SESSION_TOKEN',
  'AWS_LAMBDA_RUNTIME_API',
  'LAMBDA_TASK_ROOT',
  'LAMBDA_RUNTIME_DIR',
  'AWS_LAMBDA_MAX_CONCURRENCY',
  'AWS_LAMBDA_METADATA_API',
  'AWS_LAMBDA_METADATA_TOKEN',
]);

/** AWS's message for reserved keys (InvalidParameterValueException). */
export function renderReservedVariables(keys: readonly string[]): string {
  return (
    'Lambda was unable to configure your environment variables because the environment variables you have provided ' +
    'contains reserved keys that are currently not supported for modification. ' +
    `Reserved keys used in this request: ${keys.join(', ')}`
  );
}

/** AWS's message for variables beyond the quota (InvalidParameterValueException). It echoes the measured text. */
export function renderEnvironmentTooLarge(measured: string): string {
  return (
    'Lambda was unable to configure your environment variables because the environment variables you have provided ' +
    `exceeded the 4KB limit. String measured: ${measured}`
  );
}
