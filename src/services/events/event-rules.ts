/**
 * Event buses that act: an event that is put on a bus goes to the targets of the rules whose patterns it matches, and a
 * rule with a schedule sends an event of its own at each time.
 * https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-rules.html
 */
import type { Clock } from '../../clock.ts';
import type { Log } from '../../log.ts';
import { arnElements, parseRuleArn } from '../../protocol/arn.ts';
import { renderIsoSeconds } from '../../protocol/dates.ts';
import { createEventPattern, type EventPattern } from '../../protocol/event-pattern.ts';
import { parseJson } from '../../protocol/json.ts';
import type { Scope } from '../../protocol/names.ts';
import type { EventBus } from './event-bus.ts';
import { renderInput } from './input-transformer.ts';
import { DEFAULT_BUS, type Rule, type RuleStore, type RuleTarget } from './rule-store.ts';
import { parseScheduleExpression } from './schedule-expression.ts';
import type { Schedules } from './schedules.ts';

/** How events reach their targets. Each rejects if the target does not exist. */
export type TargetSenders = {
  readonly invoke: (functionArn: string, event: string, traceId: string | undefined) => Promise<void>;
  readonly send: (
    queueArn: string,
    body: string,
    given: { readonly groupId: string | undefined; readonly traceId: string | undefined },
  ) => Promise<void>;
  readonly publish: (topicArn: string, message: string) => Promise<void>;
  readonly writeLog: (logGroupArn: string, message: string) => Promise<void>;
};

export type EventRules = {
  /** Puts an event, which is JSON text, on a bus. Resolves after the delivery to all targets; failures are logged. */
  put(busArn: string, event: string, traceId?: string | undefined): Promise<void>;
  /** Sends the event of a schedule to the targets of the rule with this ARN. */
  fire(ruleArn: string, event: string): Promise<void>;
  /** Sends text to any target that Lamella has. @throws Error if it has no such target */
  deliver(target: Pick<RuleTarget, 'Arn' | 'SqsParameters'>, text: string, traceId?: string | undefined): Promise<void>;
  /** Brings the schedule of a rule up to date with the rule. `undefined` for a rule that is removed. */
  reschedule(scope: Scope, name: string, rule: Rule | undefined): void;
};

export type EventRulesOptions = {
  readonly store: RuleStore;
  readonly eventBus: EventBus;
  readonly senders: TargetSenders;
  readonly schedules: () => Pick<Schedules, 'put' | 'remove'>;
  readonly clock: Clock;
  readonly log: Log;
};

/** Rules that send to buses can make circles. AWS stops them too. */
const MAX_HOPS = 5;

/** The name of a rule's schedule among those that users create. */
export const ruleScheduleName = (name: string): string => `rule/${name}`;

/** Whether events can be sent to this ARN. */
export function isSupportedTarget(arn: string): boolean {
  return ['lambda', 'sqs', 'sns', 'events', 'logs'].includes(arnElements(arn)[2] ?? '');
}

export function createEventRules({ store, eventBus, senders, schedules, clock, log }: EventRulesOptions): EventRules {
  const patterns = new WeakMap<Rule, EventPattern>();
  const patternOf = (rule: Rule, text: string): EventPattern => {
    const known = patterns.get(rule);
    if (known !== undefined) return known;
    const pattern = createEventPattern(parseJson(text));
    patterns.set(rule, pattern);
    return pattern;
  };

  const putHops = async (busArn: string, text: string, traceId: string | undefined, hops: number): Promise<void> => {
    await eventBus.put(busArn, text);
    const [, , , region = '', account = '', resource = ''] = arnElements(busArn);
    const bus = resource.slice(resource.indexOf('/') + 1);
    const rules = store.rules({ region, account }, bus).filter(({ state, pattern }) => state !== 'DISABLED' && pattern);
    if (rules.length === 0) return;
    const event = parseJson(text) as Readonly<Record<string, unknown>>;
    const matching = rules.filter((rule) => patternOf(rule, rule.pattern as string).matches(event));
    await Promise.all(matching.map((rule) => sendToTargets(rule, event, traceId, hops)));
  };

  const sendToTargets = async (
    rule: Rule,
    event: Readonly<Record<string, unknown>>,
    traceId: string | undefined,
    hops: number,
  ): Promise<void> => {
    const ingestionTime = renderIsoSeconds(clock.epochMs());
    await Promise.all(
      rule.targets.map(async (target) => {
        const text = renderInput(target, event, { arn: rule.arn, name: rule.name, ingestionTime });
        if (text === undefined) {
          log.warn({ rule: rule.name, target: target.Id }, 'the input template renders no valid JSON; nothing is sent');
          return;
        }
        try {
          await deliverHops(target, text, traceId, hops);
        } catch (failure) {
          log.warn(
            { err: failure, rule: rule.name, target: target.Id },
            'cannot send an event to the target of a rule',
          );
          await sendToDeadLetters(rule, target, text, failure);
        }
      }),
    );
  };

  const sendToDeadLetters = async (rule: Rule, target: RuleTarget, text: string, failure: unknown): Promise<void> => {
    const queue = target.DeadLetterConfig?.Arn;
    if (queue === undefined) return;
    const message = failure instanceof Error ? failure.message : String(failure);
    await senders
      .send(queue, text, { groupId: undefined, traceId: undefined })
      .catch((lost: unknown) =>
        log.warn({ err: lost, rule: rule.name, queue, message }, 'cannot keep an event for later'),
      );
  };

  const deliverHops = async (
    { Arn: arn, SqsParameters }: Pick<RuleTarget, 'Arn' | 'SqsParameters'>,
    text: string,
    traceId: string | undefined,
    hops: number,
  ): Promise<void> => {
    switch (arnElements(arn)[2]) {
      case 'lambda':
        return senders.invoke(arn, text, traceId);
      case 'sqs':
        return senders.send(arn, text, { groupId: SqsParameters?.MessageGroupId, traceId });
      case 'sns':
        return senders.publish(arn, text);
      case 'logs':
        return senders.writeLog(arn, text);
      case 'events':
        if (hops >= MAX_HOPS) throw new Error(`the event has passed ${MAX_HOPS} buses`);
        return putHops(arn, text, traceId, hops + 1);
      default:
        throw new Error(`Lamella does not deliver events to ${arn}`);
    }
  };

  return {
    put: (busArn, event, traceId) => putHops(busArn, event, traceId, 0),
    async fire(ruleArn, event) {
      const parsed = parseRuleArn(ruleArn);
      const rule = parsed && store.findRule(parsed.scope, parsed.bus, parsed.name);
      if (rule === undefined) throw new Error(`the rule ${ruleArn} does not exist`);
      await sendToTargets(rule, JSON.parse(event) as Readonly<Record<string, unknown>>, undefined, 0);
    },
    deliver: (target, text, traceId) => deliverHops(target, text, traceId, 0),
    reschedule(scope, name, rule) {
      if (rule?.bus !== undefined && rule.bus !== DEFAULT_BUS) return;
      if (rule?.expression === undefined) {
        schedules().remove(scope, ruleScheduleName(name));
        return;
      }
      parseScheduleExpression(rule.expression, undefined);
      schedules().put(scope, ruleScheduleName(name), {
        expression: rule.expression,
        functionArn: rule.arn,
        isEnabled: rule.state !== 'DISABLED',
        kind: 'rule',
      });
    },
  };
}
