/** All event types of functions. */
import type { EventKind } from '../context.ts';
import { COGNITO } from './cognito.ts';
import { PULL_EVENTS } from './pull.ts';
import { ALEXA_SKILL, CLOUD_WATCH_LOGS, IOT_RULE } from './push.ts';
import { RULE_EVENTS } from './rule.ts';
import { S3 } from './s3.ts';
import { SCHEDULE_V2 } from './schedule-v2.ts';
import { SNS } from './sns.ts';

/** @param apiEvents Api and HttpApi */
export function functionEventKinds(apiEvents: Readonly<Record<string, EventKind>>): ReadonlyMap<string, EventKind> {
  return new Map(
    Object.entries({
      ...PULL_EVENTS,
      ...RULE_EVENTS,
      ...apiEvents,
      AlexaSkill: ALEXA_SKILL,
      CloudWatchLogs: CLOUD_WATCH_LOGS,
      Cognito: COGNITO,
      IoTRule: IOT_RULE,
      S3,
      ScheduleV2: SCHEDULE_V2,
      SNS,
    }),
  );
}
