/**
 * The part of CloudTrail that deployment tools ask for, with the constraints of the API model (2013-11-01).
 * https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/API_LookupEvents.html
 */
import type { Members } from './member-constraints.ts';
import { required } from './member-constraints.ts';

/** `X-Amz-Target: CloudTrail_20131101.LookupEvents`; older clients write more in front. */
export const CLOUDTRAIL_TARGET_PREFIX = 'CloudTrail_20131101';

const attribute = {
  type: 'structure',
  members: {
    AttributeKey: required({
      type: 'string',
      values: [
        'EventId',
        'EventName',
        'ReadOnly',
        'Username',
        'ResourceType',
        'ResourceName',
        'EventSource',
        'AccessKeyId',
      ],
    }),
    AttributeValue: required({ type: 'string', min: 1, max: 2000 }),
  },
} as const;

export const CLOUDTRAIL_OPERATIONS = {
  LookupEvents: {
    LookupAttributes: { type: 'list', of: attribute },
    /** Seconds since 1970. */
    StartTime: { type: 'double' },
    EndTime: { type: 'double' },
    EventCategory: { type: 'string', values: ['insight'] },
    MaxResults: { type: 'integer', min: 1, max: 50 },
    NextToken: { type: 'string' },
  },
} as const satisfies Readonly<Record<string, Members>>;
