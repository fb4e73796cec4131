/** HTTP headers of the Lambda API, in lower case where we read them and in AWS's spelling where we write them. */

export const REQUEST_HEADERS = {
  invocationType: 'x-amz-invocation-type',
  logType: 'x-amz-log-type',
  clientContext: 'x-amz-client-context',
  traceId: 'x-amzn-trace-id',
  /** What a Cognito identity's caller is told; base64 in no known client, so taken as it is. */
  tenantId: 'x-amz-tenant-id',
} as const;

export const RESPONSE_HEADERS = {
  requestId: 'x-amzn-RequestId',
  errorType: 'x-amzn-ErrorType',
  traceId: 'X-Amzn-Trace-Id',
  remappedContentLength: 'x-amzn-Remapped-Content-Length',
  functionError: 'X-Amz-Function-Error',
  logResult: 'X-Amz-Log-Result',
  executedVersion: 'X-Amz-Executed-Version',
} as const;
