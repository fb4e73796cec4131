/** EventBridge's operations on rules and their targets. */

import type { Log } from '../../log.ts';
import { arnElements } from '../../protocol/arn.ts';
import { type EVENTS_OPERATIONS, EVENTS_QUOTAS } from '../../protocol/events-operations.ts';
import type { Scope } from '../../protocol/names.ts';
import { JsonError } from '../../wire/json-protocol.ts';
import type { OperationHandlers } from '../../wire/structure.ts';
import { parsedPattern } from './bus-handlers.ts';
import { type EventRules, isSupportedTarget } from './event-rules.ts';
import { invalid, pageOf, requireBus, requireRule, tagsOf } from './events-errors.ts';
import { findUnknownPlaceholder } from './input-transformer.ts';
import { DEFAULT_BUS, type Rule, type RuleStore, type RuleTarget } from './rule-store.ts';
import { InvalidSchedule, parseScheduleExpression } from './schedule-expression.ts';

type RuleOperations = Pick<
  typeof EVENTS_OPERATIONS,
  | 'PutRule'
  | 'DescribeRule'
  | 'DeleteRule'
  | 'EnableRule'
  | 'DisableRule'
  | 'ListRules'
  | 'ListRuleNamesByTarget'
  | 'PutTargets'
  | 'RemoveTargets'
  | 'ListTargetsByRule'
>;

export function createRuleHandlers({
  store,
  rules,
  log,
}: {
  store: RuleStore;
  rules: Pick<EventRules, 'reschedule'>;
  log: Log;
}): OperationHandlers<RuleOperations, object> {
  const setState = (scope: Scope, bus: string | undefined, name: string, state: string) => {
    const rule = store.saveRule({ ...requireRule(store, scope, bus, name), state });
    rules.reschedule(scope, name, rule);
    return {};
  };

  return {
    PutRule(input, { scope }) {
      const bus = requireBus(store, scope, input.EventBusName);
      const { Name: name, ScheduleExpression: expression, EventPattern: pattern } = input;
      if (!expression && !pattern) throw invalid('Parameter(s) EventPattern or ScheduleExpression must be specified.');
      if (expression && bus.name !== DEFAULT_BUS) {
        throw invalid('ScheduleExpression is supported only on the default event bus.');
      }
      if (pattern) parsedPattern(pattern);
      if (expression) checkExpression(expression);
      const known = store.findRule(scope, bus.name, name);
      const rule = store.saveRule({
        scope,
        bus: bus.name,
        name,
        pattern: pattern || undefined,
        expression: expression || undefined,
        state: input.State ?? 'ENABLED',
        description: input.Description,
        roleArn: input.RoleArn,
        // An update does not change tags.
        tags: known?.tags ?? tagsOf(input.Tags),
        targets: known?.targets ?? [],
      });
      rules.reschedule(scope, name, rule);
      return { RuleArn: rule.arn };
    },
    DescribeRule({ Name: name, EventBusName: bus }, { scope }) {
      return { ...renderRule(requireRule(store, scope, bus, name)), CreatedBy: scope.account };
    },
    DeleteRule({ Name: name, EventBusName }, { scope }) {
      const bus = requireBus(store, scope, EventBusName);
      const rule = store.findRule(scope, bus.name, name);
      if (rule === undefined) return {};
      if (rule.targets.length > 0) throw invalid("Rule can't be deleted since it has targets.");
      store.removeRule(rule);
      if (bus.name === DEFAULT_BUS) rules.reschedule(scope, name, undefined);
      return {};
    },
    EnableRule: ({ Name: name, EventBusName: bus }, { scope }) => setState(scope, bus, name, 'ENABLED'),
    DisableRule: ({ Name: name, EventBusName: bus }, { scope }) => setState(scope, bus, name, 'DISABLED'),
    ListRules({ NamePrefix: prefix = '', EventBusName, ...given }, { scope }) {
      const bus = requireBus(store, scope, EventBusName);
      const found = store.rules(scope, bus.name).filter(({ name }) => name.startsWith(prefix));
      const { page, nextToken } = pageOf(found, given);
      return { Rules: page.map(renderRule), NextToken: nextToken };
    },
    ListRuleNamesByTarget({ TargetArn: arn, EventBusName, ...given }, { scope }) {
      const bus = requireBus(store, scope, EventBusName);
      const found = store.rules(scope, bus.name).filter(({ targets }) => targets.some((target) => target.Arn === arn));
      const { page, nextToken } = pageOf(found, given);
      return { RuleNames: page.map(({ name }) => name), NextToken: nextToken };
    },
    PutTargets({ Rule: name, EventBusName: bus, Targets: given }, { scope }) {
      const rule = requireRule(store, scope, bus, name);
      for (const target of given) checkTarget(target);
      const ids = new Set(given.map(({ Id }) => Id));
      const targets = [...rule.targets.filter(({ Id }) => !ids.has(Id)), ...given];
      if (targets.length > EVENTS_QUOTAS.targetsPerRule) {
        throw new JsonError('LimitExceededException', 'The requested resource exceeds the maximum number allowed.');
      }
      for (const { Arn: arn } of given) {
        if (!isSupportedTarget(arn)) {
          log.warn(
            { rule: name, target: arn },
            'the target of a rule is stored, but Lamella does not deliver events to it',
          );
        }
      }
      store.saveRule({ ...rule, targets });
      return { FailedEntryCount: 0, FailedEntries: [] };
    },
    RemoveTargets({ Rule: name, EventBusName: bus, Ids: ids }, { scope }) {
      const rule = requireRule(store, scope, bus, name);
      store.saveRule({ ...rule, targets: rule.targets.filter(({ Id }) => !ids.includes(Id)) });
      return { FailedEntryCount: 0, FailedEntries: [] };
    },
    ListTargetsByRule({ Rule: name, EventBusName: bus, ...given }, { scope }) {
      const { page, nextToken } = pageOf(requireRule(store, scope, bus, name).targets, given);
      return { Targets: page, NextToken: nextToken };
    },
  };
}

function renderRule({ name, arn, bus, pattern, expression, state, description, roleArn }: Rule): object {
  return {
    Name: name,
    Arn: arn,
    EventPattern: pattern,
    ScheduleExpression: expression,
    State: state,
    Description: description,
    RoleArn: roleArn,
    EventBusName: bus,
  };
}

/** Rules have no one-time schedules. */
function checkExpression(expression: string): void {
  try {
    if (parseScheduleExpression(expression).kind !== 'at') return;
  } catch (failure) {
    if (!(failure instanceof InvalidSchedule)) throw failure;
  }
  throw invalid('Parameter ScheduleExpression is not valid.');
}

/** @throws JsonError for what AWS refuses */
function checkTarget(target: RuleTarget): void {
  const { Id: id, Arn: arn, Input, InputPath, InputTransformer } = target;
  if ([Input, InputPath, InputTransformer].filter((given) => given !== undefined).length > 1) {
    throw invalid(`Only one of Input, InputPath, or InputTransformer must be provided for target ${id}.`);
  }
  const elements = arnElements(arn);
  if (elements[0] !== 'arn' || elements.length < 6) {
    throw invalid(`Parameter ${arn} is not valid. Reason: Provided Arn is not in correct format.`);
  }
  const unknown = InputTransformer && findUnknownPlaceholder(InputTransformer);
  if (unknown !== undefined) {
    throw invalid(`InputTemplate for target ${id} contains invalid placeholder ${unknown}.`);
  }
  if (elements[2] === 'sqs' && arn.endsWith('.fifo') && target.SqsParameters?.MessageGroupId === undefined) {
    throw invalid(`Parameter(s) SqsParameters must be specified for target: ${id}.`);
  }
}
