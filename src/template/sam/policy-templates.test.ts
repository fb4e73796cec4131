import { describe, expect, it } from 'vitest';
import { POLICY_TEMPLATES } from './policy-template-table.ts';
import { isPolicyTemplate, policyOfTemplate } from './policy-templates.ts';

const headers = POLICY_TEMPLATES.trim()
  .split('\n')
  .filter((line) => !line.startsWith(' '))
  .map((line) => line.split(' '));

describe('policy templates', () => {
  it('are the 81 of SAM', () => {
    expect(headers).toHaveLength(81);
  });

  it.each(headers)('%s renders with its parameters', (name, ...parameters) => {
    expect(isPolicyTemplate(name as string)).toBe(true);
    const values = Object.fromEntries(parameters.map((parameter) => [parameter, `of-${parameter}`]));
    const policy = policyOfTemplate('Shop', name as string, values);
    const text = JSON.stringify(policy);
    for (const parameter of parameters) expect(text).toContain(`of-${parameter}`);
    expect(text).not.toMatch(/[^$]\{\w+\}/);
    for (const statement of policy.Statement as unknown[]) expect(statement).toMatchObject({ Effect: 'Allow' });
  });

  it('know ARNs without region and account, conditions, and actions that are not in a list', () => {
    expect(policyOfTemplate('Shop', 'S3ReadPolicy', { BucketName: 'b' })).toMatchObject({
      Statement: [{ Resource: [{ 'Fn::Sub': ['arn:${AWS::Partition}:s3:::${bucketName}', { bucketName: 'b' }] }, {}] }],
    });
    expect(policyOfTemplate('Shop', 'KMSDecryptPolicy', { KeyId: 'k' })).toMatchObject({
      Statement: [{ Action: 'kms:Decrypt' }],
    });
    expect(policyOfTemplate('Shop', 'EFSWriteAccessPolicy', { FileSystem: 'f', AccessPoint: 'a' })).toMatchObject({
      Statement: [{ Condition: { StringEquals: { 'elasticfilesystem:AccessPointArn': expect.anything() } } }],
    });
  });
});
