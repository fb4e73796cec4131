import { describe, expect, it } from 'vitest';
import type { JsonObject } from '../../tree.ts';
import { transformSam } from '../transform.ts';

function made(properties: JsonObject): Record<string, JsonObject> {
  const Resources = { Order: { Type: 'AWS::Serverless::StateMachine', Properties: properties } };
  return transformSam({ Resources }, { region: 'eu-west-1', parameters: {} }).Resources as Record<string, JsonObject>;
}

const propertiesOf = (resources: Record<string, JsonObject>, id: string): JsonObject =>
  resources[id]?.Properties as JsonObject;

describe('a state machine', () => {
  it('has its definition as text, with intrinsic functions taken out', () => {
    const Definition = {
      StartAt: 'Pay',
      States: { Pay: { Type: 'Task', End: true, Resource: { 'Fn::GetAtt': ['Pay', 'Arn'] } } },
    };
    const machine = propertiesOf(made({ Definition }), 'Order');
    const lines = (machine.DefinitionString as { 'Fn::Join': [string, string[]] })['Fn::Join'][1];
    expect(JSON.parse(lines.join('\n'))).toEqual({
      StartAt: 'Pay',
      States: { Pay: { Type: 'Task', End: true, Resource: '${definition_substitution_1}' } },
    });
    expect(lines.slice(0, 2)).toEqual(['{', '    "StartAt": "Pay",']);
    expect(machine.DefinitionSubstitutions).toEqual({ definition_substitution_1: { 'Fn::GetAtt': ['Pay', 'Arn'] } });
    expect(machine.Tags).toEqual([{ Key: 'stateMachine:createdBy', Value: 'SAM' }]);
  });

  it('has a role with its policies, or its own', () => {
    const DefinitionUri = 's3://artifacts/order.json';
    const resources = made({ DefinitionUri, Policies: [{ LambdaInvokePolicy: { FunctionName: { Ref: 'Pay' } } }] });
    expect(propertiesOf(resources, 'Order')).toMatchObject({
      DefinitionS3Location: { Bucket: 'artifacts', Key: 'order.json' },
      RoleArn: { 'Fn::GetAtt': ['OrderRole', 'Arn'] },
    });
    expect(propertiesOf(resources, 'OrderRole').Policies).toMatchObject([{ PolicyName: 'OrderRolePolicy0' }]);
    expect(made({ DefinitionUri, Role: 'own' })).not.toHaveProperty('OrderRole');
    expect(() => made({ DefinitionUri, Role: 'own', Policies: ['AWSLambda_FullAccess'] })).toThrow(
      "Specify either 'Role' or 'Policies' (but not both at the same time) or neither of them",
    );
  });

  it('publishes a version and an alias, which its events may start', () => {
    const resources = made({
      DefinitionUri: 's3://artifacts/order.json',
      AutoPublishAlias: 'live',
      UseAliasAsEventTarget: true,
      Events: { Nightly: { Type: 'Schedule', Properties: { Schedule: 'rate(1 day)' } } },
    });
    expect(resources.OrderVersion).toMatchObject({ DeletionPolicy: 'Retain', UpdateReplacePolicy: 'Retain' });
    expect(propertiesOf(resources, 'OrderAliaslive').DeploymentPreference).toEqual({
      StateMachineVersionArn: { Ref: 'OrderVersion' },
      Type: 'ALL_AT_ONCE',
    });
    expect(propertiesOf(resources, 'OrderNightly').Targets).toEqual([
      {
        Arn: { Ref: 'OrderAliaslive' },
        Id: 'OrderNightlyStepFunctionsTarget',
        RoleArn: { 'Fn::GetAtt': ['OrderNightlyRole', 'Arn'] },
      },
    ]);
  });

  it('needs one definition', () => {
    expect(() => made({})).toThrow("Either 'Definition' or 'DefinitionUri' property must be specified.");
    expect(() => made({ Definition: { StartAt: 'a' }, DefinitionUri: 's3://a/b' })).toThrow(
      "Specify either 'Definition' or 'DefinitionUri' property and not both.",
    );
  });
});
