/**
 * Transactions of DynamoDB, which the engine does not have: while nothing else happens in the region, all conditions are checked,
 * then the items are written, and put back if one of them cannot be. A service that is killed in between leaves a part.
 * https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TransactWriteItems.html
 */
import { createHash } from 'node:crypto';
import type { Clock } from '../../clock.ts';
import type { Scope } from '../../protocol/names.ts';
import { JsonError } from '../../wire/json-protocol.ts';
import type { DynamoEngine } from './dynamodb-engine.ts';
import { EngineError, invalid, type Json, performInEngine } from './table-operations.ts';

/** An error with more members than its message. */
export class TransactionCanceled extends JsonError {
  readonly members: Json;

  constructor(message: string, members: Json) {
    super('com.amazonaws.dynamodb.v20120810#TransactionCanceledException', message);
    this.members = members;
  }
}

export type Transactions = {
  readonly get: (scope: Scope, input: Json) => Promise<Json>;
  readonly write: (scope: Scope, input: Json) => Promise<Json>;
};

const MAX_ITEMS = 100;
/** How long a token stands for its transaction. */
const TOKEN_MS = 10 * 60_000;
const MAX_TOKENS = 1000;
const KINDS = ['ConditionCheck', 'Put', 'Delete', 'Update'] as const;
const CONDITION = ['ConditionExpression', 'ExpressionAttributeNames', 'ExpressionAttributeValues'];

type Perform = (operation: string, input: Json) => Promise<Json>;
type Write = {
  readonly kind: (typeof KINDS)[number];
  readonly members: Json;
  readonly table: string;
  readonly key: Json;
  /** The item before the transaction. */
  readonly before: Json | undefined;
};

export function createTransactions({ engine, clock }: { engine: DynamoEngine; clock: Clock }): Transactions {
  const tokens = new Map<string, { readonly digest: string; readonly untilMs: number }>();
  const performBy =
    (request: DynamoEngine['request'], scope: Scope): Perform =>
    (operation, input) =>
      performInEngine({ request }, scope, operation, input);

  /** Whether the transaction of this token was done before. @throws JsonError for another transaction with it */
  const isDone = (scope: Scope, { ClientRequestToken: token, TransactItems }: Json): boolean => {
    if (typeof token !== 'string') return false;
    const known = tokens.get(`${scope.region} ${token}`);
    if (known === undefined || known.untilMs < clock.epochMs()) return false;
    if (known.digest === digestOf(TransactItems)) return true;
    throw new JsonError(
      'com.amazonaws.dynamodb.v20120810#IdempotentParameterMismatchException',
      'The request uses the same client token as a previous, but non-identical request.',
    );
  };
  const remember = (scope: Scope, { ClientRequestToken: token, TransactItems }: Json): void => {
    if (typeof token !== 'string') return;
    if (tokens.size >= MAX_TOKENS) tokens.delete(tokens.keys().next().value ?? '');
    tokens.set(`${scope.region} ${token}`, {
      digest: digestOf(TransactItems),
      untilMs: clock.epochMs() + TOKEN_MS,
    });
  };

  return {
    get: (scope, input) =>
      engine.exclusively(scope, async (request) => {
        const perform = performBy(request, scope);
        const Responses: Json[] = [];
        for (const item of itemsOf(input)) {
          const { Get } = item as { readonly Get?: Json };
          if (Get === undefined) throw invalid('TransactItems can only contain Get.');
          Responses.push(await perform('GetItem', { ...Get, ConsistentRead: true }));
        }
        return { Responses };
      }),
    write: (scope, input) =>
      engine.exclusively(scope, async (request) => {
        if (isDone(scope, input)) return {};
        const perform = performBy(request, scope);
        const writes = await readWrites(itemsOf(input), perform);
        await checkConditions(writes, perform);
        await apply(writes, perform);
        remember(scope, input);
        return {};
      }),
  };
}

function digestOf(items: unknown): string {
  return createHash('sha256').update(JSON.stringify(items)).digest('hex');
}

function itemsOf({ TransactItems: items }: Json): readonly Json[] {
  if (!Array.isArray(items) || items.length === 0 || items.length > MAX_ITEMS) {
    const value = Array.isArray(items) ? `[${items.length} items]` : 'null';
    throw invalid(
      `1 validation error detected: Value '${value}' at 'transactItems' failed to satisfy constraint: Member must have ` +
        `length less than or equal to ${MAX_ITEMS} and greater than or equal to 1`,
    );
  }
  const isStructure = (item: unknown) => typeof item === 'object' && item !== null;
  if (!items.every((item) => isStructure(item) && Object.values(item as Json).every(isStructure))) {
    throw invalid('TransactItems can only contain one of Check, Put, Update or Delete');
  }
  return items as readonly Json[];
}

/** The writes with the items that they change. */
async function readWrites(items: readonly Json[], perform: Perform): Promise<readonly Write[]> {
  const writes: Write[] = [];
  const keys = new Set<string>();
  for (const item of items) {
    const [kind, another] = KINDS.filter((name) => item[name] !== undefined);
    if (kind === undefined || another !== undefined) {
      throw invalid('TransactItems can only contain one of Check, Put, Update or Delete');
    }
    const members = item[kind] as Json;
    const table = String(members.TableName);
    const { Table } = await perform('DescribeTable', { TableName: table });
    const names = ((Table as Json).KeySchema as readonly Json[]).map(({ AttributeName }) => String(AttributeName));
    const source = ((kind === 'Put' ? members.Item : members.Key) ?? {}) as Json;
    const key = Object.fromEntries(names.map((name) => [name, source[name]]));
    const { Item } = await perform('GetItem', { TableName: table, Key: key, ConsistentRead: true });
    const identity = JSON.stringify([table, key]);
    if (keys.has(identity)) throw invalid('Transaction request cannot include multiple operations on one item');
    keys.add(identity);
    writes.push({ kind, members, table, key, before: Item as Json | undefined });
  }
  return writes;
}

/** Writes each item as it is, under its condition. @throws TransactionCanceled with a reason for each write */
async function checkConditions(writes: readonly Write[], perform: Perform): Promise<void> {
  const reasons: Json[] = [];
  for (const { members, table, key, before } of writes) {
    const condition = Object.fromEntries(
      CONDITION.filter((name) => members[name] !== undefined).map((name) => [name, members[name]]),
    );
    const isChecked = condition.ConditionExpression !== undefined;
    const failed = isChecked && (await isConditionFailed(restore({ table, key, before }, condition, members), perform));
    const wantsItem = members.ReturnValuesOnConditionCheckFailure === 'ALL_OLD' && before !== undefined;
    reasons.push(
      failed
        ? {
            Code: 'ConditionalCheckFailed',
            Message: 'The conditional request failed',
            ...(wantsItem && { Item: before }),
          }
        : { Code: 'None' },
    );
  }
  if (reasons.some(({ Code }) => Code !== 'None')) throw canceled(reasons);
}

async function isConditionFailed([operation, input]: readonly [string, Json], perform: Perform): Promise<boolean> {
  try {
    await perform(operation, input);
    return false;
  } catch (failure) {
    if (failure instanceof EngineError && failure.code.endsWith('#ConditionalCheckFailedException')) return true;
    throw failure;
  }
}

/** The operation that leaves an item as it was: under a condition, a check. */
function restore(
  { table, key, before }: Pick<Write, 'table' | 'key' | 'before'>,
  condition: Json,
  members: Json,
): readonly [string, Json] {
  const given = { TableName: table, ...withoutUnused(condition, members) };
  return before === undefined ? ['DeleteItem', { ...given, Key: key }] : ['PutItem', { ...given, Item: before }];
}

/** Names and values that only the update uses would be refused as unused. */
function withoutUnused(condition: Json, { UpdateExpression }: Json): Json {
  const { ConditionExpression: expression, ...maps } = condition;
  if (UpdateExpression === undefined || expression === undefined) return condition;
  const used = Object.entries(maps).flatMap(([name, map]): [string, Json][] => {
    const kept = Object.entries(map as Json).filter(([placeholder]) =>
      new RegExp(`${placeholder.replace(/[^\w#:]/g, '')}(?!\\w)`).test(String(expression)),
    );
    return kept.length > 0 ? [[name, Object.fromEntries(kept)]] : [];
  });
  return { ConditionExpression: expression, ...Object.fromEntries(used) };
}

async function apply(writes: readonly Write[], perform: Perform): Promise<void> {
  const done: Write[] = [];
  try {
    for (const write of writes) {
      const { ReturnValuesOnConditionCheckFailure: _, ...members } = write.members;
      if (write.kind !== 'ConditionCheck') await perform(`${write.kind}Item`, members);
      done.push(write);
    }
  } catch (failure) {
    for (const write of done) await perform(...restore(write, {}, {}));
    throw failure;
  }
}

function canceled(reasons: readonly Json[]): TransactionCanceled {
  const codes = reasons.map(({ Code }) => Code).join(', ');
  const message = `Transaction cancelled, please refer cancellation reasons for specific reasons [${codes}]`;
  return new TransactionCanceled(message, { Message: message, CancellationReasons: reasons });
}
