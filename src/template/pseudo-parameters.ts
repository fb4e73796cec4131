/** The pseudo parameters of a stack. https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/pseudo-parameter-reference.html */
import { partitionOf } from '../protocol/arn.ts';
import type { Json } from './tree.ts';

export type StackFacts = {
  readonly region: string;
  readonly accountId: string;
  readonly stackName: string;
  readonly stackId: string;
  readonly notificationArns?: readonly string[];
};

export const PSEUDO_PARAMETERS: ReadonlySet<string> = new Set([
  'AWS::AccountId',
  'AWS::NoValue',
  'AWS::NotificationARNs',
  'AWS::Partition',
  'AWS::Region',
  'AWS::StackId',
  'AWS::StackName',
  'AWS::URLSuffix',
]);

/** Their values, without AWS::NoValue, which has none. */
export function pseudoParameters(stack: StackFacts): Map<string, Json> {
  const partition = partitionOf(stack.region);
  return new Map<string, Json>([
    ['AWS::AccountId', stack.accountId],
    ['AWS::NotificationARNs', [...(stack.notificationArns ?? [])]],
    ['AWS::Partition', partition],
    ['AWS::Region', stack.region],
    ['AWS::StackId', stack.stackId],
    ['AWS::StackName', stack.stackName],
    ['AWS::URLSuffix', partition === 'aws-cn' ? 'amazonaws.com.cn' : 'amazonaws.com'],
  ]);
}
