/**
 * AWS::Serverless::SimpleTable: a table of DynamoDB with one key.
 * https://docs.aws.amazon.com/serverless-application-model/latest/developerguide/sam-resource-simpletable.html
 */
import type { Json } from '../tree.ts';
import { expectPresent, INTEGER, isMap, MAP, mapOf, oneOf, optional, PASSED, STRING } from './checks.ts';
import type { ResourceKind, Translation } from './context.ts';
import { InvalidResource } from './errors.ts';
import { isTruthy, pythonStr } from './python.ts';
import { cfnResource, type SamResource, tagList } from './resources.ts';

export const SIMPLE_TABLE: ResourceKind = {
  type: 'AWS::Serverless::SimpleTable',
  properties: {
    PointInTimeRecoverySpecification: PASSED,
    PrimaryKey: optional(mapOf(STRING)),
    ProvisionedThroughput: optional(mapOf(oneOf(INTEGER, MAP))),
    TableName: optional(oneOf(STRING, MAP)),
    Tags: optional(MAP),
    SSESpecification: optional(MAP),
  },
  translate,
};

const ATTRIBUTE_TYPES: Readonly<Record<string, string>> = { String: 'S', Number: 'N', Binary: 'B' };

function translate(resource: SamResource): Translation {
  const { logicalId, properties, attributes } = resource;
  const key = primaryKey(logicalId, properties.PrimaryKey);
  const copied = (name: string): Json | undefined => (isTruthy(properties[name]) ? properties[name] : undefined);
  const throughput = copied('ProvisionedThroughput');
  const table = cfnResource('AWS::DynamoDB::Table', logicalId, attributes, {
    AttributeDefinitions: [{ AttributeName: key.name, AttributeType: key.type }],
    KeySchema: [{ AttributeName: key.name, KeyType: 'HASH' }],
    PointInTimeRecoverySpecification: copied('PointInTimeRecoverySpecification'),
    ProvisionedThroughput: throughput,
    BillingMode: throughput === undefined ? 'PAY_PER_REQUEST' : undefined,
    SSESpecification: copied('SSESpecification'),
    TableName: copied('TableName'),
    Tags: isTruthy(properties.Tags) ? tagList(properties.Tags) : undefined,
  });
  table.dependsOn = resource.dependsOn;
  return { resources: [table] };
}

function primaryKey(logicalId: string, key: Json | undefined): { name: Json; type: string } {
  if (!isMap(key) || !isTruthy(key)) return { name: 'id', type: 'S' };
  const name = expectPresent(key.Name, { resource: logicalId, path: 'PrimaryKey.Name' });
  const type = expectPresent(key.Type, { resource: logicalId, path: 'PrimaryKey.Type' });
  const known = typeof type === 'string' && Object.hasOwn(ATTRIBUTE_TYPES, type) ? ATTRIBUTE_TYPES[type] : undefined;
  if (known === undefined) throw new InvalidResource(logicalId, `Invalid 'Type' "${pythonStr(type)}".`);
  return { name, type: known };
}
