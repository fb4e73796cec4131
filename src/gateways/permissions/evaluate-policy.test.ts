/** Statements of resource policies against requests. The rules are those of the IAM User Guide. */
import { describe, expect, it } from 'vitest';
import { type AccessRequest, evaluateCallerPolicy, evaluatePolicy, findPolicyFault } from './evaluate-policy.ts';

const FUNCTION = 'arn:aws:lambda:us-east-1:123456789012:function:web';
const ANONYMOUS: AccessRequest = {
  principal: { kind: 'anonymous' },
  action: 'lambda:InvokeFunctionUrl',
  resource: FUNCTION,
  context: { 'lambda:FunctionUrlAuthType': 'NONE' },
};
const SESSION: AccessRequest = {
  ...ANONYMOUS,
  principal: { kind: 'aws', account: '444455556666', arn: 'arn:aws:sts::444455556666:assumed-role/example/me' },
};
const API: AccessRequest = {
  principal: { kind: 'service', name: 'apigateway.amazonaws.com' },
  action: 'lambda:InvokeFunction',
  resource: FUNCTION,
  context: { 'aws:SourceArn': 'arn:aws:execute-api:us-east-1:123456789012:api/prod/GET/users/{id}' },
};
const ALLOW = { Effect: 'Allow', Principal: '*', Action: 'lambda:InvokeFunctionUrl', Resource: FUNCTION };

describe('a statement', () => {
  it.each([
    ['that allows the request', ANONYMOUS, {}, 'allow'],
    ['with wildcards in the action', ANONYMOUS, { Action: ['s3:*', 'lambda:invoke*Url'] }, 'allow'],
    ['with every action', ANONYMOUS, { Action: '*' }, 'allow'],
    ['with another action', ANONYMOUS, { Action: 'lambda:InvokeFunction' }, 'implicit-deny'],
    ['with NotAction', ANONYMOUS, { Action: undefined, NotAction: 'lambda:InvokeFunctionUrl' }, 'implicit-deny'],
    ['with another resource', ANONYMOUS, { Resource: `${FUNCTION}:live` }, 'implicit-deny'],
    ['with a wildcard in the resource', ANONYMOUS, { Resource: 'arn:aws:lambda:*:*:function:w?b' }, 'allow'],
    ['for every AWS principal', ANONYMOUS, { Principal: { AWS: '*' } }, 'allow'],
    ['for an account', ANONYMOUS, { Principal: { AWS: '444455556666' } }, 'implicit-deny'],
    ['for the account of the caller', SESSION, { Principal: { AWS: '444455556666' } }, 'allow'],
    ['for its root', SESSION, { Principal: { AWS: ['arn:aws:iam::444455556666:root'] } }, 'allow'],
    ['for its role', SESSION, { Principal: { AWS: 'arn:aws:iam::444455556666:role/path/example' } }, 'allow'],
    ['for another role', SESSION, { Principal: { AWS: 'arn:aws:iam::444455556666:role/other' } }, 'implicit-deny'],
    ['for a role of another account', SESSION, { Principal: { AWS: 'arn:aws:iam::1:role/example' } }, 'implicit-deny'],
    ['for a service', ANONYMOUS, { Principal: { Service: 'apigateway.amazonaws.com' } }, 'implicit-deny'],
    ['that denies', ANONYMOUS, { Effect: 'Deny' }, 'deny'],
    ['that denies others', ANONYMOUS, { Effect: 'Deny', Principal: { AWS: '1' } }, 'implicit-deny'],
  ] as const)('%s', (_, request, changes, decision) => {
    expect(evaluatePolicy([{ ...ALLOW, ...changes }], request)).toBe(decision);
  });

  it.each([
    [{ StringEquals: { 'lambda:FunctionUrlAuthType': 'NONE' } }, ANONYMOUS, true],
    [{ StringEquals: { 'LAMBDA:functionurlauthtype': ['AWS_IAM', 'NONE'] } }, ANONYMOUS, true],
    [{ StringEquals: { 'lambda:FunctionUrlAuthType': 'AWS_IAM' } }, ANONYMOUS, false],
    [{ StringNotEquals: { 'lambda:FunctionUrlAuthType': ['AWS_IAM', 'NONE'] } }, ANONYMOUS, false],
    [{ StringEquals: { 'aws:PrincipalOrgID': 'o-1' } }, ANONYMOUS, false],
    [{ StringEqualsIfExists: { 'aws:PrincipalOrgID': 'o-1' } }, ANONYMOUS, true],
    [{ StringNotEquals: { 'aws:PrincipalOrgID': 'o-1' } }, ANONYMOUS, true],
    [{ Null: { 'aws:PrincipalOrgID': 'true' } }, ANONYMOUS, true],
    [{ Bool: { 'lambda:InvokedViaFunctionUrl': 'true' } }, ANONYMOUS, false],
    [{ ArnLike: { 'AWS:SourceArn': 'arn:aws:execute-api:us-east-1:123456789012:api/*/*/users/*' } }, API, true],
    [{ ArnLike: { 'AWS:SourceArn': 'arn:aws:execute-api:us-east-1:123456789012:api/*/POST/*' } }, API, false],
    [{ ArnLike: { 'AWS:SourceArn': 'arn:aws:execute-api:*' } }, API, false],
    [{ ArnNotLike: { 'AWS:SourceArn': 'arn:aws:execute-api:*:*:other/*' } }, API, true],
    [{ UnknownOperator: { 'AWS:SourceArn': 'x' } }, API, false],
    [
      { StringEquals: { 'lambda:FunctionUrlAuthType': 'NONE' }, Bool: { 'lambda:InvokedViaFunctionUrl': 'true' } },
      ANONYMOUS,
      false,
    ],
  ] as const)('with the condition %j', (Condition, request, isMet) => {
    const statement = { Effect: 'Allow', Principal: '*', Action: '*', Resource: '*', Condition };
    expect(evaluatePolicy([statement], request)).toBe(isMet ? 'allow' : 'implicit-deny');
  });
});

describe('a statement of a policy without principals', () => {
  const METHOD = 'arn:aws:execute-api:us-east-1:123456789012:api/prod/GET/items/7';
  const evaluate = (statement: object) =>
    evaluateCallerPolicy([{ Effect: 'Allow', Action: 'execute-api:Invoke', Resource: '*', ...statement }], {
      action: 'execute-api:Invoke',
      resource: METHOD,
      context: {
        'aws:SourceIp': '203.0.113.7',
        'aws:CurrentTime': '2026-12-01T10:00:00.000Z',
        'aws:EpochTime': '1796119200',
      },
    });

  it.each([
    [{}, 'allow'],
    [{ Resource: ['arn:aws:execute-api:us-east-1:123456789012:api/*/GET/items/*'] }, 'allow'],
    [{ Resource: 'arn:aws:execute-api:us-east-1:123456789012:api/prod/POST/*' }, 'implicit-deny'],
    [{ Action: 'execute-api:ManageConnections' }, 'implicit-deny'],
    [{ Resource: undefined, NotResource: METHOD }, 'implicit-deny'],
    [{ Effect: 'Deny', Resource: METHOD }, 'deny'],
  ] as const)('%j: %s', (statement, decision) => {
    expect(evaluate(statement)).toBe(decision);
  });

  it.each([
    [{ IpAddress: { 'aws:SourceIp': '203.0.113.7' } }, true],
    [{ IpAddress: { 'aws:SourceIp': ['10.0.0.0/8', '203.0.113.0/29'] } }, true],
    [{ IpAddress: { 'aws:SourceIp': '203.0.113.8/29' } }, false],
    [{ IpAddress: { 'aws:SourceIp': ['2001:db8::/32', '203.0.113.0/99', 'x'] } }, false],
    [{ NotIpAddress: { 'aws:SourceIp': '203.0.113.0/24' } }, false],
    [{ NotIpAddress: { 'aws:SourceIp': '10.0.0.0/8' } }, true],
    [{ DateLessThan: { 'aws:CurrentTime': '2026-12-01T10:00:01Z' } }, true],
    [{ DateGreaterThanEquals: { 'aws:CurrentTime': '1796119200' } }, true],
    [{ DateGreaterThan: { 'aws:CurrentTime': '2026-12-01T10:00:00Z' } }, false],
    [{ DateNotEquals: { 'aws:CurrentTime': '2026-12-01T10:00:00Z' } }, false],
    [{ NumericLessThanEquals: { 'aws:EpochTime': '1796119200' } }, true],
    [{ NumericEquals: { 'aws:EpochTime': 'x' } }, false],
  ] as const)('with the condition %j', (Condition, isMet) => {
    expect(evaluate({ Condition })).toBe(isMet ? 'allow' : 'implicit-deny');
  });

  it.each([
    [{ Effect: 'allow' }, 'must have the `Effect` Allow or Deny'],
    [{ Action: 7 }, 'must have an `Action` of text'],
    [{ Resource: undefined }, 'must have a `Resource` of text'],
    [{ Condition: 'x' }, 'must have an object as its `Condition`'],
    [{ Condition: { BinaryEquals: { key: 'x' } } }, 'has the condition operator BinaryEquals, which is not supported'],
    [{ Condition: { IpAddressIfExists: { 'aws:SourceIp': 'x' } } }, undefined],
  ])('%j that cannot be evaluated is reported', (changes, fault) => {
    expect(findPolicyFault({ Effect: 'Allow', Action: '*', Resource: '*', ...changes })).toBe(fault);
  });
});

it('Deny wins over Allow, in any order', () => {
  const deny = { ...ALLOW, Effect: 'Deny' };
  expect(evaluatePolicy([ALLOW, deny], ANONYMOUS)).toBe('deny');
  expect(evaluatePolicy([deny, ALLOW], ANONYMOUS)).toBe('deny');
  expect(evaluatePolicy([], ANONYMOUS)).toBe('implicit-deny');
});
