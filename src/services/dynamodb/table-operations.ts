/**
 * DynamoDB's operations on tables, as far as the engine does not have them: tags at the creation, protection against deletion and
 * time to live. Streams, which the engine ignores, are refused.
 */
import type { Log } from '../../log.ts';
import { parseJson } from '../../protocol/json.ts';
import type { Scope } from '../../protocol/names.ts';
import { JsonError } from '../../wire/json-protocol.ts';
import type { DynamoEngine } from './dynamodb-engine.ts';
import type { TableSettingsStore } from './table-settings.ts';

export type Json = Readonly<Record<string, unknown>>;

export type TableOperation = (input: Json, context: TableContext) => Promise<Json>;

export type TableContext = {
  readonly scope: Scope;
  /** Streams of tables in templates are recorded: `AWS::DynamoDB::Table` says so in the log. */
  readonly recordsStreams: boolean;
  /** Performs an operation of the engine. @throws EngineError */
  readonly perform: (operation: string, input: Json) => Promise<Json>;
  /** Performs an UpdateTable that adds or removes indexes, and returns the description. @throws EngineError */
  readonly rebuild: (input: Json) => Promise<Json>;
  readonly settings: TableSettingsStore;
  readonly log: Log;
};

/** An error response of the engine, which goes to the client as it is. */
export class EngineError extends JsonError {}

/** @throws EngineError */
export async function performInEngine(
  engine: Pick<DynamoEngine, 'request'>,
  scope: Scope,
  operation: string,
  input: Json,
): Promise<Json> {
  const { status, body } = await engine.request(scope, operation, Buffer.from(JSON.stringify(input)));
  const result = parseJson(body.toString('utf8')) as Json;
  if (status === 200) return result;
  const code = String(result.__type ?? 'InternalServerError');
  throw new EngineError(code, String(result.message ?? result.Message ?? code), status);
}

export function invalid(message: string): JsonError {
  return new JsonError('com.amazon.coral.validate#ValidationException', message);
}

const nameOf = ({ TableName }: Json): string => String(TableName ?? '');

/** Without the members that the engine does not have. @throws JsonError */
function withoutStream(input: Json, { recordsStreams, log }: TableContext): Json {
  const { StreamSpecification: stream, DeletionProtectionEnabled: _, Tags: __, ...members } = input;
  const { StreamEnabled: isEnabled } = (stream ?? {}) as Json;
  if (isEnabled !== true) return members;
  if (!recordsStreams) {
    throw invalid(
      'Lamella does not support streams of tables. Leave out StreamSpecification, or name another DynamoDB with ' +
        '--dynamodb-endpoint.',
    );
  }
  log.warn({ table: input.TableName }, 'the table has no stream: Lamella does not support streams of tables');
  return members;
}

/** A description as AWS's, with what is kept beside the engine. */
function described(description: unknown, { scope, settings }: TableContext): Json {
  const table = description as Json;
  const indexes = table.GlobalSecondaryIndexes as readonly Json[] | undefined;
  const GlobalSecondaryIndexes = isOnDemand(table) && indexes?.map((index) => ({ ...index, ...NO_THROUGHPUT }));
  return {
    ...table,
    ...(GlobalSecondaryIndexes && { GlobalSecondaryIndexes }),
    DeletionProtectionEnabled: settings.get(scope, nameOf(table)).isProtected,
  };
}

const NO_THROUGHPUT = {
  ProvisionedThroughput: { NumberOfDecreasesToday: 0, ReadCapacityUnits: 0, WriteCapacityUnits: 0 },
};

function isOnDemand({ BillingModeSummary }: Json): boolean {
  return ((BillingModeSummary ?? {}) as Json).BillingMode === 'PAY_PER_REQUEST';
}

/** Whether an UpdateTable changes which indexes there are. */
function hasIndexChanges({ GlobalSecondaryIndexUpdates: updates }: Json): boolean {
  return (
    Array.isArray(updates) && updates.some((update: Json) => update.Create !== undefined || update.Delete !== undefined)
  );
}

export const TABLE_OPERATIONS: Readonly<Record<string, TableOperation>> = {
  async CreateTable(input, context) {
    const { scope, perform, settings } = context;
    const { TableDescription } = await perform('CreateTable', withoutStream(input, context));
    const { TableArn: ResourceArn } = TableDescription as Json;
    settings.remove(scope, nameOf(input));
    if (input.DeletionProtectionEnabled === true) settings.set(scope, nameOf(input), { isProtected: true });
    const { Tags } = input;
    if (Array.isArray(Tags) && Tags.length > 0) {
      await whenActive(context, nameOf(input));
      await perform('TagResource', { ResourceArn, Tags });
    }
    return { TableDescription: described(TableDescription, context) };
  },

  async DescribeTable(input, context) {
    const { Table } = await context.perform('DescribeTable', input);
    return { Table: described(Table, context) };
  },

  async UpdateTable(input, context) {
    const { scope, perform, rebuild, settings } = context;
    const { DeletionProtectionEnabled: isProtected } = input;
    const members = withoutStream(input, context);
    const isOnlyProtection = Object.keys(members).every((name) => name === 'TableName');
    const description =
      typeof isProtected === 'boolean' && isOnlyProtection
        ? (await perform('DescribeTable', { TableName: input.TableName })).Table
        : hasIndexChanges(members)
          ? await rebuild(members)
          : (await perform('UpdateTable', members)).TableDescription;
    if (typeof isProtected === 'boolean') settings.set(scope, nameOf(input), { isProtected });
    return { TableDescription: described(description, context) };
  },

  async DeleteTable(input, context) {
    const { scope, perform, settings } = context;
    if (settings.get(scope, nameOf(input)).isProtected) {
      throw invalid(
        'Resource cannot be deleted as it is currently protected against deletion. Disable deletion protection first.',
      );
    }
    const result = await perform('DeleteTable', input);
    settings.remove(scope, nameOf(input));
    return { TableDescription: described(result.TableDescription, context) };
  },

  async UpdateTimeToLive(input, { scope, perform, settings }) {
    await perform('DescribeTable', { TableName: input.TableName });
    const { AttributeName, Enabled } = (input.TimeToLiveSpecification ?? {}) as Json;
    if (typeof AttributeName !== 'string' || typeof Enabled !== 'boolean') {
      throw invalid('TimeToLiveSpecification must have AttributeName and Enabled.');
    }
    const { timeToLive } = settings.get(scope, nameOf(input));
    if (Enabled === (timeToLive !== undefined)) {
      throw invalid(`TimeToLive is already ${Enabled ? 'enabled' : 'disabled'}`);
    }
    settings.set(scope, nameOf(input), { timeToLive: Enabled ? AttributeName : undefined });
    return { TimeToLiveSpecification: { AttributeName, Enabled } };
  },

  async DescribeTimeToLive(input, { scope, perform, settings }) {
    await perform('DescribeTable', { TableName: input.TableName });
    const { timeToLive: AttributeName } = settings.get(scope, nameOf(input));
    const TimeToLiveStatus = AttributeName === undefined ? 'DISABLED' : 'ENABLED';
    return { TimeToLiveDescription: { TimeToLiveStatus, ...(AttributeName !== undefined && { AttributeName }) } };
  },

  async DescribeContinuousBackups(input, { perform }) {
    await perform('DescribeTable', { TableName: input.TableName });
    return {
      ContinuousBackupsDescription: {
        ContinuousBackupsStatus: 'DISABLED',
        PointInTimeRecoveryDescription: { PointInTimeRecoveryStatus: 'DISABLED' },
      },
    };
  },
};

/** The engine creates tables in a moment. */
async function whenActive({ perform }: TableContext, TableName: string): Promise<void> {
  for (;;) {
    const { Table } = await perform('DescribeTable', { TableName });
    if ((Table as Json).TableStatus === 'ACTIVE') return;
  }
}
