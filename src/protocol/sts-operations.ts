/**
 * The part of STS that Lambda's users need: the caller's identity, and temporary keys of a role. Constraints are those
 * of the API model (2011-06-15). https://docs.aws.amazon.com/STS/latest/APIReference/
 */
import type { Members } from './member-constraints.ts';
import { required } from './member-constraints.ts';

export const STS_VERSION = '2011-06-15';
export const STS_NAMESPACE = 'https://sts.amazonaws.com/doc/2011-06-15/';

const tagPart = (min: number, max: number) =>
  ({ type: 'string', min, max, pattern: `[\\p{L}\\p{Z}\\p{N}_.:/=+\\-@]${min === 0 ? '*' : '+'}` }) as const;

export const STS_OPERATIONS = {
  GetCallerIdentity: {},
  AssumeRole: {
    RoleArn: required({ type: 'string', min: 20, max: 2048 }),
    RoleSessionName: required({ type: 'string', min: 2, max: 64, pattern: '[\\w+=,.@-]*' }),
    DurationSeconds: { type: 'integer', min: 900, max: 43200 },
    ExternalId: { type: 'string', min: 2, max: 1224, pattern: '[\\w+=,.@:/\\-]*' },
    Policy: { type: 'string', min: 1, max: 2048 },
    SourceIdentity: { type: 'string', min: 2, max: 64, pattern: '[\\w+=,.@-]*' },
    Tags: {
      type: 'list',
      max: 50,
      of: { type: 'structure', members: { Key: required(tagPart(1, 128)), Value: required(tagPart(0, 256)) } },
    },
  },
  GetSessionToken: {
    DurationSeconds: { type: 'integer', min: 900, max: 129600 },
    SerialNumber: { type: 'string', min: 9, max: 256, pattern: '[\\w+=/:,.@-]*' },
    TokenCode: { type: 'string', min: 6, max: 6, pattern: '[\\d]*' },
  },
  GetAccessKeyInfo: { AccessKeyId: required({ type: 'string', min: 16, max: 128, pattern: '[\\w]*' }) },
} as const satisfies Record<string, Members>;
