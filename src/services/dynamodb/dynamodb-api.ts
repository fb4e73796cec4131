/**
 * DynamoDB: requests go to the engine (`dynamodb-engine.ts`), or to another DynamoDB that `--dynamodb-endpoint` names. What neither
 * the engine nor `table-operations.ts` has is refused by name.
 * https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/
 */
import { join } from 'node:path';
import type { Clock } from '../../clock.ts';
import { BodyFailure, readBody } from '../../http/body.ts';
import { send as sendHttp } from '../../http/client.ts';
import type { Log } from '../../log.ts';
import {
  DYNAMODB_OPERATIONS,
  DYNAMODB_STREAMS_TARGET_PREFIX,
  DYNAMODB_TARGET_PREFIX,
} from '../../protocol/dynamodb-operations.ts';
import { parseJson } from '../../protocol/json.ts';
import type { Scope } from '../../protocol/names.ts';
import type { Database } from '../../storage/database.ts';
import { type ApiCall, OperationFailure, type ServiceApi } from '../../wire/api-call.ts';
import { JsonError } from '../../wire/json-protocol.ts';
import { signRequest } from '../../wire/sign-request.ts';
import { createDynamoEngine, EngineMissing, type EngineResponse } from './dynamodb-engine.ts';
import { rebuildTable, recoverTables } from './rebuild-table.ts';
import { invalid, type Json, performInEngine, TABLE_OPERATIONS, type TableContext } from './table-operations.ts';
import { createTableSettings } from './table-settings.ts';
import { createTransactions, TransactionCanceled } from './transactions.ts';

export type RemoteDynamo = {
  readonly endpoint: string;
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken: string | undefined;
};

export type DynamoApiOptions = {
  readonly database: Database;
  /** The data directory; tables are kept in its subdirectory `dynamodb`. */
  readonly root: string;
  /** Another DynamoDB, which gets all requests. */
  readonly remote: RemoteDynamo | undefined;
  /** The wall clock, because signatures contain the time. */
  readonly clock: Clock;
  readonly log: Log;
};

export type DynamoApi = ServiceApi & { close(): Promise<void> };

/** DynamoDB's own limit for a request. */
const BODY_LIMIT_BYTES = 16 * 1024 * 1024;

export function createDynamoApi(options: DynamoApiOptions): DynamoApi {
  const { database, root, remote, log } = options;
  const engine = createDynamoEngine({ directory: join(root, 'dynamodb'), log });
  const settings = createTableSettings(database);
  const transactions = createTransactions({ engine, clock: options.clock });

  const recovered = new Map<string, Promise<void>>();
  /** Before the first request of a region: ends what a killed service has begun. */
  const recover = ({ region, account }: Scope): Promise<void> => {
    const known = recovered.get(region);
    if (known !== undefined) return known;
    const recovery = recoverTables({ engine, settings }, { region, account });
    recovered.set(region, recovery);
    recovery.catch(() => recovered.delete(region));
    return recovery;
  };

  const respond = async (scope: Scope, target: string, body: Buffer): Promise<EngineResponse> => {
    if (remote !== undefined) return forward(options, remote, scope, target, body);
    await recover(scope);
    const operation = operationOf(target);
    const handler = DYNAMODB_OPERATIONS[operation] === 'table' ? TABLE_OPERATIONS[operation] : undefined;
    const input = parseInput(body);
    checkTags(operation, input);
    if (operation === 'TransactGetItems') return rendered(200, await transactions.get(scope, input));
    if (operation === 'TransactWriteItems') return rendered(200, await transactions.write(scope, input));
    if (handler === undefined) return engine.request(scope, operation, Buffer.from(JSON.stringify(input)));
    return rendered(200, await handler(input, contextOf(scope, false)));
  };
  const contextOf = (scope: Scope, recordsStreams: boolean): TableContext => ({
    scope,
    rebuild: (input) => rebuildTable({ engine, settings }, scope, input),
    recordsStreams,
    perform: (operation, input) => performInEngine(engine, scope, operation, input),
    settings,
    log,
  });

  return {
    async handle(call) {
      try {
        const body = await readBody(call.request, BODY_LIMIT_BYTES);
        send(call, await respond(call.scope, String(call.request.headers['x-amz-target'] ?? ''), body));
      } catch (failure) {
        if (failure instanceof BodyFailure && failure.reason === 'aborted') return;
        const { code, status, message } = errorOf(failure, log);
        const more = failure instanceof TransactionCanceled ? failure.members : {};
        send(call, rendered(status, { __type: code, message, ...more }));
      }
    },
    async perform(operation, input, { scope }) {
      try {
        const target = `${DYNAMODB_TARGET_PREFIX}.${operation}`;
        const handler = remote === undefined ? TABLE_OPERATIONS[operationOf(target)] : undefined;
        if (handler !== undefined) {
          await recover(scope);
          return await handler(input, contextOf(scope, true));
        }
        const { status, body } = await respond(scope, target, Buffer.from(JSON.stringify(input)));
        const result = parseJson(body.toString('utf8')) as Json;
        if (status === 200) return result;
        throw new JsonError(String(result.__type), String(result.message ?? result.Message), status);
      } catch (failure) {
        const { code, status, message } = errorOf(failure, log);
        throw new OperationFailure(code.slice(code.indexOf('#') + 1), status, message, failure);
      }
    },
    close: () => engine.close(),
  };
}

/** @throws JsonError for what Lamella does not have */
function operationOf(target: string): keyof typeof DYNAMODB_OPERATIONS {
  const [prefix = '', operation = ''] = target.split('.');
  const isKnown = prefix === DYNAMODB_TARGET_PREFIX && Object.hasOwn(DYNAMODB_OPERATIONS, operation);
  if (isKnown) return operation as keyof typeof DYNAMODB_OPERATIONS;
  const what = prefix === DYNAMODB_STREAMS_TARGET_PREFIX ? 'operation of DynamoDB Streams' : 'DynamoDB operation';
  throw new JsonError(
    'com.amazon.coral.service#UnknownOperationException',
    `Lamella does not support the ${what} '${operation}'. With --dynamodb-endpoint, requests go to another DynamoDB.`,
  );
}

/** The input without members that are null. Nulls further inside would end the engine. @throws JsonError */
function parseInput(body: Buffer): Json {
  const input = parseObject(body);
  const given = Object.fromEntries(Object.entries(input).filter(([, value]) => value !== null));
  if (hasNull(given)) {
    throw invalid('Supplied AttributeValue is empty, must contain exactly one of the supported datatypes');
  }
  return given;
}

function parseObject(body: Buffer): Json {
  try {
    const input = parseJson(body.toString('utf8'));
    if (typeof input === 'object' && input !== null && !Array.isArray(input)) return input as Json;
  } catch {
    // Reported below.
  }
  throw new JsonError('com.amazon.coral.service#SerializationException', 'The request body is not a JSON object.');
}

function hasNull(value: unknown): boolean {
  if (value === null) return true;
  return typeof value === 'object' && Object.values(value as object).some(hasNull);
}

/** The engine does not look at them. @throws JsonError */
function checkTags(operation: string, { Tags }: Json): void {
  if (operation !== 'TagResource' && operation !== 'CreateTable') return;
  for (const [index, tag] of (Array.isArray(Tags) ? Tags : []).entries()) {
    const missing = ['Key', 'Value'].find((name) => typeof (tag as Json)[name] !== 'string');
    if (missing !== undefined) {
      const at = `tags.${index + 1}.member.${missing.toLowerCase()}`;
      throw invalid(
        `1 validation error detected: Value null at '${at}' failed to satisfy constraint: Member must not be null`,
      );
    }
  }
}

function errorOf(failure: unknown, log: Log): JsonError {
  if (failure instanceof JsonError) return failure;
  if (failure instanceof EngineMissing) return new JsonError('NotImplementedException', failure.message, 501);
  if (failure instanceof BodyFailure && failure.reason === 'busy') {
    return new JsonError('com.amazonaws.dynamodb.v20120810#ThrottlingException', failure.message);
  }
  if (failure instanceof BodyFailure) {
    return new JsonError('com.amazon.coral.validate#ValidationException', 'The request is larger than 16 MiB.', 413);
  }
  log.error({ err: failure }, 'DynamoDB failed');
  const reason = failure instanceof Error ? failure.message : String(failure);
  return new JsonError('InternalServerError', `DynamoDB failed: ${reason}`, 500);
}

/** Sends a request to another DynamoDB, signed with the service's own keys. */
async function forward(
  { clock }: DynamoApiOptions,
  { endpoint, accessKeyId, secretAccessKey, sessionToken }: RemoteDynamo,
  { region }: Scope,
  target: string,
  body: Buffer,
): Promise<EngineResponse> {
  const url = new URL(endpoint);
  const headers = {
    'content-type': 'application/x-amz-json-1.0',
    'x-amz-target': target,
    ...(sessionToken !== undefined && { 'x-amz-security-token': sessionToken }),
  };
  const key = { accessKeyId, secretAccessKey, region, service: 'dynamodb' };
  const signed = signRequest({ method: 'POST', url, headers, body }, key, clock.epochMs());
  const response = await sendHttp({ method: 'POST', url, headers: signed, body });
  const crc = response.headers['x-amz-crc32'];
  return {
    status: response.status,
    headers: { 'content-type': 'application/x-amz-json-1.0', ...(typeof crc === 'string' && { 'x-amz-crc32': crc }) },
    body: response.body,
  };
}

function rendered(status: number, result: object): EngineResponse {
  const headers = { 'content-type': 'application/x-amz-json-1.0' };
  return { status, headers, body: Buffer.from(JSON.stringify(result)) };
}

function send({ response }: ApiCall, { status, headers, body }: EngineResponse): void {
  const { 'x-amzn-requestid': _, ...others } = headers;
  response.writeHead(status, { ...others, 'Content-Length': body.length }).end(body);
}
