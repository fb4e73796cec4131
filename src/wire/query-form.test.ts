import { describe, expect, it } from 'vitest';
import { SNS_OPERATIONS } from '../protocol/sns-operations.ts';
import { SQS_OPERATIONS } from '../protocol/sqs-operations.ts';
import { treeOfForm } from './query-form.ts';
import { parseInput, WrongType } from './structure.ts';

function tree(text: string, members: Parameters<typeof treeOfForm>[1]) {
  return parseInput(treeOfForm(new URLSearchParams(text), members), members);
}

describe('the form of the query protocol', () => {
  it('spells lists as member, maps as entry, and orders both by index', () => {
    const text =
      'Name=t&Tags.member.10.Key=b&Tags.member.10.Value=2&Tags.member.2.Key=a&Tags.member.2.Value=' +
      '&Attributes.entry.1.key=DisplayName&Attributes.entry.1.value=T';
    expect(tree(text, SNS_OPERATIONS.CreateTopic)).toEqual({
      Name: 't',
      Tags: [
        { Key: 'a', Value: '' },
        { Key: 'b', Value: '2' },
      ],
      Attributes: { DisplayName: 'T' },
    });
  });

  it('can name the parts of a map entry otherwise, and has maps of structures', () => {
    const entry = 'MessageAttributes.entry.1';
    const text = `Message=m&${entry}.Name=n&${entry}.Value.DataType=String&${entry}.Value.StringValue=v`;
    expect(tree(text, SNS_OPERATIONS.Publish)).toEqual({
      Message: 'm',
      MessageAttributes: { n: { DataType: 'String', StringValue: 'v' } },
    });
  });

  it('flattens the lists and maps of SQS', () => {
    const text =
      'SendMessageBatchRequestEntry.1.Id=a&SendMessageBatchRequestEntry.1.DelaySeconds=5' +
      '&SendMessageBatchRequestEntry.1.MessageAttribute.1.Name=n' +
      '&SendMessageBatchRequestEntry.1.MessageAttribute.1.Value.DataType=String&SendMessageBatchRequestEntry.2=x';
    expect(tree(text, SQS_OPERATIONS.SendMessageBatch)).toEqual({
      Entries: [{ Id: 'a', DelaySeconds: 5, MessageAttributes: { n: { DataType: 'String' } } }, {}],
    });
    expect(tree('AttributeName.1=All&AttributeName.2=', SQS_OPERATIONS.GetQueueAttributes)).toEqual({
      AttributeNames: ['All', ''],
    });
  });

  it('distinguishes an empty list from a missing one', () => {
    expect(tree('Name=t&Tags=', SNS_OPERATIONS.CreateTopic)).toEqual({ Name: 't', Tags: [] });
    expect(tree('Name=t', SNS_OPERATIONS.CreateTopic)).toEqual({ Name: 't' });
  });

  it('parses numbers and booleans, and rejects other text in their place', () => {
    expect(() => tree('MaxResults=many', SQS_OPERATIONS.ListQueues)).toThrow(WrongType);
    expect(() => tree('ReturnSubscriptionArn=1', SNS_OPERATIONS.Subscribe)).toThrow(WrongType);
  });
});
