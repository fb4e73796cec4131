/**
 * CloudTrail without trails: Lamella records no calls, so that there are never events. The CDK looks for the calls that failed
 * after a deployment that failed, and would wait for a service that does not answer.
 */
import type { Log } from '../../log.ts';
import { CLOUDTRAIL_OPERATIONS, CLOUDTRAIL_TARGET_PREFIX } from '../../protocol/cloudtrail-operations.ts';
import type { ServiceApi } from '../../wire/api-call.ts';
import { createJsonApi, JsonError } from '../../wire/json-protocol.ts';

const BODY_LIMIT_BYTES = 1024 * 1024;

/** Creates the API. Operations other than `LookupEvents` are refused by name. */
export function createCloudTrailApi({ log }: { readonly log: Log }): ServiceApi {
  return createJsonApi({
    name: 'CloudTrail',
    targetPrefix: CLOUDTRAIL_TARGET_PREFIX,
    operations: CLOUDTRAIL_OPERATIONS,
    bodyLimitBytes: BODY_LIMIT_BYTES,
    log,
    handlers: {
      LookupEvents({ StartTime, EndTime, NextToken }) {
        if (StartTime !== undefined && EndTime !== undefined && StartTime > EndTime) {
          throw new JsonError('InvalidTimeRangeException', 'Start time must be before end time.');
        }
        // There was no page before.
        if (NextToken !== undefined) throw new JsonError('InvalidNextTokenException', 'Invalid next token.');
        return { Events: [] };
      },
    },
  });
}
