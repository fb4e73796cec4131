import { describe, expect, it } from 'vitest';
import {
  arnElements,
  isPrincipalArn,
  parseArn,
  parseFunctionReference,
  parseLambdaArn,
  parseQueueArn,
  parseTopicArn,
  partitionOf,
  renderFunctionArn,
  renderRoleArn,
  renderRuntimeVersionArn,
} from './arn.ts';

const CHINA = { region: 'cn-north-1', account: '123456789012' };

describe('ARNs', () => {
  it.each([
    ['us-east-1', 'aws'],
    ['eu-central-2', 'aws'],
    ['cn-northwest-1', 'aws-cn'],
    ['us-gov-east-1', 'aws-us-gov'],
    ['us-iso-west-1', 'aws-iso'],
    ['us-isob-east-1', 'aws-iso-b'],
    ['eu-isoe-west-1', 'aws-iso-e'],
    ['us-isof-south-1', 'aws-iso-f'],
    ['eusc-de-east-1', 'aws-eusc'],
  ])('%s is in the partition %s', (region, partition) => {
    expect(partitionOf(region)).toBe(partition);
  });

  it('take the partition from the region, also where they do not name the region', () => {
    expect(renderFunctionArn(CHINA, 'f', '1')).toBe('arn:aws-cn:lambda:cn-north-1:123456789012:function:f:1');
    expect(renderRoleArn(CHINA, '/service-role/', 'r')).toBe('arn:aws-cn:iam::123456789012:role/service-role/r');
    expect(renderRuntimeVersionArn('cn-north-1', 'abc')).toBe('arn:aws-cn:lambda:cn-north-1::runtime:abc');
  });

  it('are taken apart at the first five colons', () => {
    expect(parseArn('arn:aws:s3:::bucket/key:with:colons')).toEqual({
      partition: 'aws',
      service: 's3',
      region: '',
      account: '',
      resource: 'bucket/key:with:colons',
    });
    for (const text of ['', 'name', 'arn:aws:s3', 'arn::s3:::bucket', 'kafka://host:9092']) {
      expect(parseArn(text)).toBeUndefined();
    }
    expect(arnElements('arn:aws:sns')).toHaveLength(3);
  });

  it('of every partition are parsed, and a name or partial ARN where Lambda takes one', () => {
    const scope = { region: 'eusc-de-east-1', account: '123456789012' };
    expect(parseFunctionReference(renderFunctionArn(scope, 'f', 'live'))).toEqual({
      ...scope,
      name: 'f',
      qualifier: 'live',
    });
    expect(parseFunctionReference('123456789012:function:f')).toMatchObject({ account: '123456789012', name: 'f' });
    expect(parseFunctionReference('f')).toMatchObject({ region: undefined, name: 'f', qualifier: undefined });
    expect(parseQueueArn('arn:aws-cn:sqs:cn-north-1:123456789012:q')).toEqual({ scope: CHINA, name: 'q' });
    expect(parseQueueArn('arn:aws-cn:sns:cn-north-1:123456789012:q')).toBeUndefined();
    expect(parseTopicArn('arn:aws:sns:us-east-1:123456789012:t:id')).toMatchObject({ name: 't', subscriptionId: 'id' });
    expect(isPrincipalArn('arn:aws-us-gov:sts::123456789012:assumed-role/r/s')).toBe(true);
    expect(isPrincipalArn('arn:aws:s3:::bucket')).toBe(false);
  });

  it('of Lambda have a kind and an id', () => {
    expect(parseLambdaArn('arn:aws:lambda:cn-north-1:123456789012:function:f:1')).toEqual({
      scope: CHINA,
      kind: 'function',
      id: 'f',
    });
    expect(parseLambdaArn('arn:aws:sqs:cn-north-1:123456789012:q')).toBeUndefined();
  });
});
