import { beforeAll, describe, expect, it } from 'vitest';
import { loadResourceTypes } from './type-table.ts';
import { unknownProperties } from './unknown-properties.ts';

beforeAll(() => loadResourceTypes());

describe('properties of a resource', () => {
  it('are named with their place when the type does not have them', () => {
    const properties = {
      EventPattern: { anything: [{ goes: 'here' }] },
      Colour: 'red',
      Targets: [
        { Id: 'a', Arn: 'x', RetryPolicy: { MaximumRetryAttempts: 1 } },
        { Id: 'b', Arn: 'x', Retries: 1, RetryPolicy: { Attempts: 1, More: { deep: 1 } } },
      ],
      Tags: [{ Key: 'a', Value: 'b' }],
    };
    expect(unknownProperties('AWS::Events::Rule', properties)).toBe(
      'Property validation failure: [Encountered unsupported properties in {/}: [Colour], Encountered unsupported ' +
        'properties in {/Targets/1}: [Retries], Encountered unsupported properties in {/Targets/1/RetryPolicy}: [Attempts, More]]',
    );
  });

  it('can be anything where the type has a map, a document or text', () => {
    const Environment = { Variables: { ANY: 'name' } };
    expect(
      unknownProperties('AWS::Lambda::Function', { Environment, Tags: [{ Key: 'a', Value: 'b' }] }),
    ).toBeUndefined();
    const AssumeRolePolicyDocument = { Statement: [{ Any: 'thing' }] };
    const Policies = [{ PolicyName: 'p', PolicyDocument: { Any: 'thing' } }];
    expect(unknownProperties('AWS::IAM::Role', { AssumeRolePolicyDocument, Policies })).toBeUndefined();
    expect(unknownProperties('AWS::ApiGateway::RestApi', { Body: { paths: {} } })).toBeUndefined();
  });
});
