import { describe, expect, it } from 'vitest';
import { OPERATION_NAMES, operationRow } from '../protocol/operations.ts';
import { matchOperation } from './operation-routes.ts';

const NO_QUERY = new URLSearchParams();

describe('operation routes', () => {
  it.each(OPERATION_NAMES.map((name) => [name, operationRow(name)] as const))('lead to %s', (name, row) => {
    const path = row.path.replaceAll(/\{\w+\+?\}/g, 'x');
    expect(matchOperation(row.method, path, new URLSearchParams(row.query ?? ''))?.operation).toBe(name);
  });

  it('decode parameters and accept ARNs with colons and slashes', () => {
    const arn = 'arn:aws:lambda:us-east-1:123456789012:function:f:$LATEST';
    const encoded = `/2015-03-31/functions/${encodeURIComponent(arn)}/invocations`;
    expect(matchOperation('POST', encoded, NO_QUERY)?.pathParameters).toEqual({ FunctionName: arn });
    expect(matchOperation('POST', `/2015-03-31/functions/${arn}/invocations`, NO_QUERY)?.pathParameters).toEqual({
      FunctionName: arn,
    });
    const execution = 'arn:aws:lambda:us-east-1:123456789012:function:f:1/durable-execution/a/b';
    expect(
      matchOperation('GET', `/2025-12-01/durable-executions/${encodeURIComponent(execution)}/state`, NO_QUERY),
    ).toMatchObject({ operation: 'GetDurableExecutionState', pathParameters: { DurableExecutionArn: execution } });
  });

  it('ignore a trailing slash, which old clients send', () => {
    expect(matchOperation('GET', '/2015-03-31/functions/', NO_QUERY)?.operation).toBe('ListFunctions');
  });

  it('distinguish operations on the same path by their query', () => {
    expect(matchOperation('GET', '/2018-10-31/layers', new URLSearchParams('find=LayerVersion&Arn=a'))?.operation).toBe(
      'GetLayerVersionByArn',
    );
    expect(matchOperation('GET', '/2018-10-31/layers', NO_QUERY)?.operation).toBe('ListLayers');
  });

  it.each([
    ['GET', '/'],
    ['GET', '/2015-03-31'],
    ['PATCH', '/2015-03-31/functions'],
    ['GET', '/2015-03-31/functions/f/nonsense'],
    ['GET', '//2015-03-31/functions'],
    ['GET', '/2015-03-31/functions/__proto__/constructor'],
  ])('do not exist for %s %s', (method, path) => {
    expect(matchOperation(method, path, NO_QUERY)).toBeUndefined();
  });

  it('leave a parameter with invalid percent-encoding as is', () => {
    expect(matchOperation('GET', '/2015-03-31/functions/%E0%A4%A', NO_QUERY)?.pathParameters).toEqual({
      FunctionName: '%E0%A4%A',
    });
  });
});
