/**
 * The notification configuration of a bucket: what S3 tells whom. Read from XML or from the members of an SDK, checked with
 * S3's messages, and rendered as XML. Whether the destinations exist is checked by `s3-notifications.ts`.
 * https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketNotificationConfiguration.html
 */
import { randomUUID } from 'node:crypto';
import { parseArn } from '../../protocol/arn.ts';
import { S3_EVENTS } from '../../protocol/s3-events.ts';
import type { OperationMembers } from '../../wire/api-call.ts';
import { childText, parseXml, renderElement, type XmlElement } from '../../wire/xml.ts';
import { S3Error } from './s3-wire.ts';

export type Destination = 'Topic' | 'Queue' | 'CloudFunction';

export type Notification = {
  readonly id: string;
  readonly kind: Destination;
  readonly arn: string;
  /** As in the configuration: `s3:ObjectCreated:*` */
  readonly events: readonly string[];
  /** In the order of the configuration. Undefined without a filter. */
  readonly rules: readonly FilterRule[] | undefined;
};

export type FilterRule = { readonly name: 'Prefix' | 'Suffix'; readonly value: string };

export type NotificationConfig = {
  readonly notifications: readonly Notification[];
  /** All events go to the default bus of EventBridge. */
  readonly eventBridge: boolean;
};

const KINDS: readonly {
  readonly kind: Destination;
  readonly list: string;
  readonly arn: string;
  readonly service: string;
}[] = [
  { kind: 'Topic', list: 'TopicConfigurations', arn: 'TopicArn', service: 'sns' },
  { kind: 'Queue', list: 'QueueConfigurations', arn: 'QueueArn', service: 'sqs' },
  { kind: 'CloudFunction', list: 'LambdaFunctionConfigurations', arn: 'LambdaFunctionArn', service: 'lambda' },
];

/** @throws S3Error */
export function parseNotificationXml(document: string): NotificationConfig {
  const root = parseXml(document);
  if (root?.name !== 'NotificationConfiguration') throw new S3Error('MalformedXML');
  const notifications = root.children.flatMap((element) => {
    const kind = KINDS.find((known) => element.name === `${known.kind}Configuration`)?.kind;
    if (kind === undefined) return [];
    const events = element.children.filter(({ name }) => name === 'Event').map(({ text }) => text.trim());
    return [{ kind, id: childText(element, 'Id'), arn: childText(element, kind), events, rules: rulesOf(element) }];
  });
  const eventBridge = root.children.some(({ name }) => name === 'EventBridgeConfiguration');
  return checked(notifications, eventBridge);
}

function rulesOf(element: XmlElement): readonly Partial<Record<'Name' | 'Value', string>>[] | undefined {
  const filter = element.children.find(({ name }) => name === 'Filter');
  const key = filter?.children.find(({ name }) => name === 'S3Key');
  if (key === undefined) return undefined;
  return (
    key.children
      .filter(({ name }) => name === 'FilterRule')
      // Spaces are part of a value.
      .map((rule) => Object.fromEntries(rule.children.map(({ name, text }) => [name, text])))
  );
}

type Members = Readonly<Record<string, unknown>>;

/** The members of NotificationConfiguration as the SDKs write them. @throws S3Error */
export function parseNotificationMembers(members: OperationMembers): NotificationConfig {
  const notifications = KINDS.flatMap(({ kind, list, arn }) =>
    ((members[list] ?? []) as readonly Members[]).map((given) => {
      const { Key } = (given.Filter ?? {}) as { readonly Key?: { readonly FilterRules?: readonly Members[] } };
      return {
        kind,
        id: given.Id as string | undefined,
        arn: given[arn] as string | undefined,
        events: (given.Events ?? []) as readonly string[],
        rules: Key?.FilterRules as readonly Partial<Record<'Name' | 'Value', string>>[] | undefined,
      };
    }),
  );
  return checked(notifications, members.EventBridgeConfiguration !== undefined);
}

type Given = {
  readonly kind: Destination;
  readonly id: string | undefined;
  readonly arn: string | undefined;
  readonly events: readonly string[];
  readonly rules: readonly Partial<Record<'Name' | 'Value', string>>[] | undefined;
};

function checked(given: readonly Given[], eventBridge: boolean): NotificationConfig {
  const notifications = given.map(checkedOne);
  if (new Set(notifications.map(({ id }) => id)).size < notifications.length) {
    throw invalid({}, 'Same ID used for multiple configurations. IDs must be unique');
  }
  checkOverlaps(notifications);
  return { notifications, eventBridge };
}

function checkedOne({ kind, id, arn, events, rules }: Given): Notification {
  if (!arn || events.length === 0) throw new S3Error('MalformedXML');
  const service = KINDS.find((known) => known.kind === kind)?.service;
  if (parseArn(arn)?.service !== service) {
    throw invalid({ ArgumentName: kind, ArgumentValue: arn }, 'The ARN could not be parsed');
  }
  for (const event of events) {
    if (!S3_EVENTS.some((known) => known === event)) {
      throw invalid({ ArgumentName: 'Event', ArgumentValue: event }, 'The event is not supported for notifications');
    }
  }
  return { id: id || randomUUID(), kind, arn, events, rules: rules && checkedRules(rules) };
}

function checkedRules(rules: readonly Partial<Record<'Name' | 'Value', string>>[]): readonly FilterRule[] {
  const checkedOnes = rules.map(({ Name, Value }): FilterRule => {
    if (Name === undefined || Value === undefined) throw new S3Error('MalformedXML');
    const name = NAMES[Name.trim().toLowerCase()];
    if (name === undefined) {
      throw invalid(
        { ArgumentName: 'FilterRule.Name', ArgumentValue: Name },
        'filter rule name must be either prefix or suffix',
      );
    }
    return { name, value: Value };
  });
  for (const name of ['Prefix', 'Suffix'] as const) {
    if (checkedOnes.filter((rule) => rule.name === name).length > 1) {
      throw invalid(
        { ArgumentName: 'FilterRule.Name', ArgumentValue: name },
        `Cannot specify more than one ${name.toLowerCase()} rule in a filter.`,
      );
    }
  }
  return checkedOnes;
}

const NAMES: Readonly<Record<string, 'Prefix' | 'Suffix'>> = { prefix: 'Prefix', suffix: 'Suffix' };

function invalid(members: Readonly<Record<string, string>>, message: string): S3Error {
  return new S3Error('InvalidArgument', members, message);
}

/** No event of a key may go to two destinations. */
function checkOverlaps(notifications: readonly Notification[]): void {
  for (const [index, one] of notifications.entries()) {
    for (const other of notifications.slice(index + 1)) {
      if (!sharesEvent(one, other) || !sharesKey(one, other)) continue;
      if (one.rules?.length && other.rules?.length) {
        throw invalid(
          {},
          'Configuration is ambiguously defined. Cannot have overlapping suffixes in two rules if the prefixes are ' +
            'overlapping for the same event type.',
        );
      }
      throw invalid({}, 'Configurations overlap. Configurations on the same bucket cannot share a common event type.');
    }
  }
}

function sharesEvent(one: Notification, other: Notification): boolean {
  return one.events.some((event) =>
    other.events.some((second) => matchesEvent(event, second) || matchesEvent(second, event)),
  );
}

/** Whether the event `s3:ObjectCreated:Put` matches a pattern like `s3:ObjectCreated:*`. */
function matchesEvent(pattern: string, event: string): boolean {
  return pattern === event || (pattern.endsWith('*') && event.startsWith(pattern.slice(0, -1)));
}

function sharesKey(one: Notification, other: Notification): boolean {
  const [prefix, otherPrefix] = [ruleValue(one, 'Prefix'), ruleValue(other, 'Prefix')];
  const [suffix, otherSuffix] = [ruleValue(one, 'Suffix'), ruleValue(other, 'Suffix')];
  return (
    (prefix.startsWith(otherPrefix) || otherPrefix.startsWith(prefix)) &&
    (suffix.endsWith(otherSuffix) || otherSuffix.endsWith(suffix))
  );
}

function ruleValue({ rules = [] }: Notification, name: FilterRule['name']): string {
  return rules.find((rule) => rule.name === name)?.value ?? '';
}

/** The notifications for an event (`ObjectCreated:Put`) of a key. */
export function notificationsFor(
  { notifications }: NotificationConfig,
  event: string,
  key: string,
): readonly Notification[] {
  return notifications.filter(
    (notification) =>
      notification.events.some((pattern) => matchesEvent(pattern, `s3:${event}`)) &&
      key.startsWith(ruleValue(notification, 'Prefix')) &&
      key.endsWith(ruleValue(notification, 'Suffix')),
  );
}

export function renderNotificationXml({ notifications, eventBridge }: NotificationConfig): string {
  const elements = notifications.map(({ id, kind, arn, events, rules }) =>
    renderElement(
      `${kind}Configuration`,
      {
        Id: id,
        [kind]: arn,
        Event: events,
        Filter: rules && { S3Key: { FilterRule: rules.map(({ name, value }) => ({ Name: name, Value: value })) } },
      },
      'repeated',
    ),
  );
  const bridge = eventBridge ? '<EventBridgeConfiguration/>' : '';
  const namespace = 'http://s3.amazonaws.com/doc/2006-03-01/';
  return `<?xml version="1.0" encoding="UTF-8"?>\n<NotificationConfiguration xmlns="${namespace}">${elements.join('')}${bridge}</NotificationConfiguration>`;
}
