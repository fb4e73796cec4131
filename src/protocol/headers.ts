/** HTTP headers of the Lambda API: in lower case for reading, in AWS's spelling for writing. */

export const REQUEST_HEADERS = {
  invocationType: 'x-amz-invocation-type',
  logType: 'x-amz-log-type',
  clientContext: 'x-amz-client-context',
  traceId: 'x-amzn-trace-id',
  durableExecutionName: 'x-amz-durable-execution-name',
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
