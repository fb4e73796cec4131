/** CloudWatch Logs' operations on subscription filters. Messages were recorded on AWS, as far as LocalStack's tests have them. */
import type { Log } from '../../log.ts';
import { parseArn, parseFunctionReference, renderLogGroupArn } from '../../protocol/arn.ts';
import { LOGS_QUOTAS } from '../../protocol/logs-operations.ts';
import type { Scope } from '../../protocol/names.ts';
import { parseFilterPattern } from './filter-pattern.ts';
import { renderPageToken } from './log-cursors.ts';
import { isFunction, type SubscriptionFilter } from './log-subscriptions.ts';
import { invalid, LogsError } from './logs-errors.ts';
import { type LogsHandlerDependencies, type LogsHandlers, pageStartOf, requireGroup } from './logs-handlers.ts';

export type SubscriptionHandlersOptions = LogsHandlerDependencies & {
  /** The log group of a function; undefined if it does not exist. */
  readonly logGroupOf: (functionArn: string) => string | undefined;
  /** Whether the policy of a function lets the service with this principal invoke it. */
  readonly mayInvoke: (functionArn: string, principal: string, sourceArn: string, account: string) => boolean;
  readonly log: Log;
};

type SubscriptionOperations = 'PutSubscriptionFilter' | 'DescribeSubscriptionFilters' | 'DeleteSubscriptionFilter';

/** What AWS has as destinations beside functions. */
const RECORDED: readonly string[] = ['kinesis', 'firehose', 'logs'];

export function createSubscriptionHandlers(
  options: SubscriptionHandlersOptions,
): Pick<LogsHandlers, SubscriptionOperations> {
  const { logStore, subscriptions, clock, log } = options;
  return {
    PutSubscriptionFilter(input, { scope }) {
      const { logGroupName, filterName, filterPattern, destinationArn, roleArn } = input;
      parseFilterPattern(filterPattern);
      checkDestination(scope, destinationArn, roleArn);
      const group = requireGroup(logStore, scope, logGroupName);
      if (isFunction(destinationArn)) checkFunction(options, scope, logGroupName, destinationArn);
      else
        log.warn(
          { logGroup: logGroupName, destination: destinationArn },
          'the subscription filter is stored, but Lamella sends log events to functions only',
        );
      const existing = subscriptions.list(scope, group.name);
      const known = existing.find(({ name }) => name === filterName);
      if (known === undefined && existing.length >= LOGS_QUOTAS.subscriptionFilters) {
        throw new LogsError('LimitExceededException', 'Resource limit exceeded.');
      }
      subscriptions.put(scope, group.name, {
        name: filterName,
        pattern: filterPattern,
        destinationArn,
        roleArn,
        distribution: input.distribution ?? 'ByLogStream',
        applyOnTransformedLogs: input.applyOnTransformedLogs ?? false,
        createdMs: known?.createdMs ?? Math.trunc(clock.epochMs()),
      });
      return undefined;
    },

    DescribeSubscriptionFilters({ logGroupName, filterNamePrefix: prefix = '', nextToken, limit }, { scope }) {
      const group = requireGroup(logStore, scope, logGroupName);
      const size = limit ?? LOGS_QUOTAS.pageItems;
      const after = nextToken === undefined ? '' : pageStartOf('DescribeSubscriptionFilters', nextToken);
      const found = subscriptions.list(scope, group.name).filter(({ name }) => name.startsWith(prefix) && name > after);
      const page = found.slice(0, size);
      const last = found.length > size ? page.at(-1) : undefined;
      return {
        subscriptionFilters: page.map((filter) => renderFilter(group.name, filter)),
        nextToken: last && renderPageToken('DescribeSubscriptionFilters', last.name),
      };
    },

    DeleteSubscriptionFilter({ logGroupName, filterName }, { scope }) {
      const group = requireGroup(logStore, scope, logGroupName);
      if (!subscriptions.remove(scope, group.name, filterName)) {
        throw new LogsError('ResourceNotFoundException', 'The specified subscription filter does not exist.');
      }
      return undefined;
    },
  };
}

function renderFilter(logGroupName: string, filter: SubscriptionFilter): object {
  return {
    filterName: filter.name,
    logGroupName,
    filterPattern: filter.pattern,
    destinationArn: filter.destinationArn,
    roleArn: filter.roleArn,
    distribution: filter.distribution,
    applyOnTransformedLogs: filter.applyOnTransformedLogs,
    creationTime: filter.createdMs,
  };
}

/** @throws LogsError for what can be seen without looking anything up */
function checkDestination(scope: Scope, destinationArn: string, roleArn: string | undefined): void {
  const { service = '', account } = parseArn(destinationArn) ?? {};
  if (service === 'lambda') {
    if (account === scope.account) return;
    throw new LogsError(
      'AccessDeniedException',
      'Cross-account lambda invocation passing is not allowed. You must use DestinationPolicies to create cross account ' +
        'lambda triggers.',
    );
  }
  if (!RECORDED.includes(service))
    throw invalid('Invalid destinationArn specified: it must name a function or a stream.');
  if (service !== 'logs' && roleArn === undefined) {
    throw invalid(`destinationArn for vendor ${service} cannot be used without roleArn`);
  }
}

function checkFunction(
  { logGroupOf, mayInvoke }: SubscriptionHandlersOptions,
  scope: Scope,
  logGroup: string,
  functionArn: string,
): void {
  if (logGroupOf(functionArn) === logGroup && parseFunctionReference(functionArn)?.region === scope.region) {
    throw invalid('The log group provided is reserved for the function log output of the destination function.');
  }
  const sourceArn = `${renderLogGroupArn(scope, logGroup)}:*`;
  const principals = ['logs.amazonaws.com', `logs.${scope.region}.amazonaws.com`];
  if (!principals.some((principal) => mayInvoke(functionArn, principal, sourceArn, scope.account))) {
    throw invalid(
      'Could not execute the lambda function. Make sure you have given CloudWatch Logs permission to execute your function.',
    );
  }
}
