/**
 * `lamella logs`: the log of a function, or of all functions, from CloudWatch Logs. For a person, without AWS's lines
 * around each invocation; `--raw` prints events as they are. Following polls, as `aws logs tail` does.
 */
import { sleep, systemClock } from '../../clock.ts';
import { OperatorError } from '../../operator-error.ts';
import { nearestOf } from '../../options.ts';
import { renderLogMessage, summarizeReport } from '../activity/render-activity.ts';
import type { Run } from '../command.ts';
import { parseSince } from '../duration.ts';
import { writeResult } from '../output.ts';
import { clientOf, type Json, type ServiceClient } from '../service-client.ts';

const POLL_MS = 500;
const PREFIX = '/aws/lambda/';
const DEFAULT_SINCE = '10m';

type LogEvent = {
  readonly eventId: string;
  readonly timestamp: number;
  readonly logStreamName: string;
  readonly message: string;
};
type Source = { readonly name: string; readonly logGroup: string };

export const run: Run = async ({ args, given }) => {
  const client = await clientOf(given, 'logs');
  const startTime = parseSince(String(given.since ?? DEFAULT_SINCE), systemClock.epochMs(), 'logs');
  const sources = await sourcesOf(client, args[0]);
  const query: Json = given.filter === undefined ? {} : { filterPattern: String(given.filter) };
  const cursors = new Map(sources.map((source) => [source.logGroup, { since: startTime, seen: new Set<string>() }]));
  const isSingle = args[0] !== undefined;
  for (let isFirst = true; isFirst || given.follow; isFirst = false) {
    if (!isFirst) await sleepAwake(POLL_MS);
    // Functions that were created or called meanwhile belong to "all".
    const current = isFirst || isSingle ? sources : await sourcesOf(client, undefined);
    const found: { source: Source; event: LogEvent }[] = [];
    for (const source of current) {
      const cursor = cursors.get(source.logGroup) ?? { since: startTime, seen: new Set<string>() };
      cursors.set(source.logGroup, cursor);
      const events = await readEvents(client, source.logGroup, cursor.since, query);
      for (const event of events.filter(({ eventId }) => !cursor.seen.has(eventId))) found.push({ source, event });
      // The next request begins at the latest time again: more events of the same millisecond can follow.
      const latest = events.reduce((time, { timestamp }) => Math.max(time, timestamp), cursor.since);
      const kept = events.filter(({ timestamp }) => timestamp === latest).map(({ eventId }) => eventId);
      cursor.seen = new Set(latest === cursor.since ? [...cursor.seen, ...kept] : kept);
      cursor.since = latest;
    }
    found.sort((a, b) => a.event.timestamp - b.event.timestamp);
    const text = found.map(({ source, event }) => render(source, event)).join('');
    if (text !== '') await writeResult(text);
  }
  return 0;

  function render({ name, logGroup }: Source, event: LogEvent): string {
    const time = new Date(event.timestamp).toISOString();
    if (given.json) {
      const { logStreamName, message } = event;
      return `${JSON.stringify({ time, function: name, logGroup, logStream: logStreamName, message })}\n`;
    }
    const head = isSingle ? time : `${time} ${name}`;
    const message = given.raw
      ? event.message.trimEnd()
      : (renderLogMessage(event.message) ?? summarizeReport(event.message));
    return message === undefined ? '' : `${head}  ${message.replaceAll('\n', '\n    ')}\n`;
  }
};

/** The log group of one function, or those of all functions. @throws OperatorError 'service-refused' */
async function sourcesOf(client: ServiceClient, name: string | undefined): Promise<Source[]> {
  if (name !== undefined) return [{ name, logGroup: await logGroupOf(client, name) }];
  const groups: Json[] = [];
  for (let nextToken: string | undefined, isFirst = true; isFirst || nextToken !== undefined; isFirst = false) {
    const input = { logGroupNamePrefix: PREFIX, ...(nextToken !== undefined && { nextToken }) };
    const page = await client.logs('DescribeLogGroups', input);
    groups.push(...(page.logGroups ?? []));
    nextToken = page.nextToken;
  }
  return groups.map(({ logGroupName }) => ({
    name: String(logGroupName).slice(PREFIX.length),
    logGroup: logGroupName,
  }));
}

async function logGroupOf(client: ServiceClient, name: string): Promise<string> {
  try {
    const path = `/2015-03-31/functions/${encodeURIComponent(name)}/configuration`;
    const { LoggingConfig, FunctionName } = await client.lambda('GetFunctionConfiguration', path);
    return LoggingConfig?.LogGroup ?? `${PREFIX}${FunctionName}`;
  } catch (failure) {
    const { code, message } = ((failure as Error).cause ?? {}) as { code?: string; message?: string };
    if (code !== 'ResourceNotFoundException') throw failure;
    // The log of a function outlives it.
    const sources = await sourcesOf(client, undefined);
    const deleted = sources.find((source) => source.name === name);
    if (deleted !== undefined) return deleted.logGroup;
    const nearest = nearestOf(
      name,
      sources.map((source) => source.name),
    );
    const remedy = nearest ? `Did you mean ${nearest}?` : 'Run `lamella list` to see the functions.';
    throw new OperatorError(
      'service-refused',
      { operation: 'GetFunctionConfiguration', code, message: message ?? '', remedy },
      failure,
    );
  }
}

/** All events since a time, over all pages; none if the group does not exist yet. */
async function readEvents(
  client: ServiceClient,
  logGroupName: string,
  startTime: number,
  query: Json,
): Promise<LogEvent[]> {
  const events: LogEvent[] = [];
  try {
    for (let nextToken: string | undefined, isFirst = true; isFirst || nextToken !== undefined; isFirst = false) {
      const input = { logGroupName, startTime, ...query, ...(nextToken !== undefined && { nextToken }) };
      const page = await client.logs('FilterLogEvents', input);
      events.push(...(page.events ?? []));
      nextToken = page.nextToken;
    }
  } catch (failure) {
    const { code } = ((failure as Error).cause ?? {}) as { code?: string };
    if (code !== 'ResourceNotFoundException') throw failure;
  }
  return events;
}

/** Keeps this process running meanwhile, which the timer alone does not. */
async function sleepAwake(ms: number): Promise<void> {
  const awake = new MessageChannel();
  awake.port1.ref();
  await sleep(systemClock, ms);
  awake.port1.close();
}
