/**
 * Functions as a program defines and invokes them: `put` makes the service agree with a definition by the operations that
 * any client would use, and does nothing if it already does.
 */
import { sleep, systemClock } from '../clock.ts';
import { renderRoleArn } from '../protocol/arn.ts';
import { parseJson } from '../protocol/json.ts';
import { type ApiConnection, orMissing } from './api-connection.ts';
import type { CodeArchive } from './code-archive.ts';
import { archiveCode, type FunctionDefinition, type FunctionUrlDefinition } from './function-definition.ts';
import { type ApiResponse, headerOf } from './lamella-error.ts';
import type { Layers } from './layers.ts';

export type PutFunction = {
  readonly name: string;
  readonly arn: string;
  /** Base64, as AWS shows it. */
  readonly codeSha256: string;
  /** What was done. `unchanged`: the function agreed with the definition. */
  readonly change: 'created' | 'updated' | 'unchanged';
  /** The function URL; undefined without one. */
  readonly url: string | undefined;
};

export type InvokeOptions = {
  /** A version or an alias. */
  readonly qualifier?: string;
  /** `Event` invokes asynchronously: the result has only a status and a request ID. */
  readonly type?: 'RequestResponse' | 'Event' | 'DryRun';
  /** For functions with tenant isolation. */
  readonly tenantId?: string;
  /** Passed to the function in its context. */
  readonly clientContext?: unknown;
};

export type InvokeResult<Payload = unknown> = {
  /** 200; 202 for an asynchronous invocation, 204 for a dry run. */
  readonly status: number;
  /** `Unhandled`, or undefined if the function did not fail. `payload` is AWS's error object then. */
  readonly functionError: string | undefined;
  /** The parsed response; its text if it is not JSON; undefined if it is empty. */
  readonly payload: Payload;
  /** The last 4 KB of the log of this invocation, as AWS returns it. `logs()` reads all of it. */
  readonly log: string;
  /** Whether the environment was started for this invocation. */
  readonly cold: boolean;
  readonly requestId: string;
  readonly version: string | undefined;
};

export type Functions = {
  /** Creates the function or updates it. @throws LamellaError, OperatorError, TypeError */
  put(definition: FunctionDefinition): Promise<PutFunction>;
  /** Deletes the function with its versions and aliases. @throws LamellaError ResourceNotFoundException */
  remove(name: string): Promise<void>;
  /** The names of all functions. */
  list(): Promise<string[]>;
};

const FUNCTIONS = '/2015-03-31/functions';

export function createFunctions(connection: ApiConnection, layers: Layers): Functions {
  const pathOf = (name: string) => `${FUNCTIONS}/${encodeURIComponent(name)}`;
  const { call } = connection;

  /** Waits while the service applies a change (`--state-delay`). */
  const settled = async (name: string) => {
    for (;;) {
      const configuration = await call({
        operation: 'GetFunctionConfiguration',
        method: 'GET',
        path: `${pathOf(name)}/configuration`,
      });
      if (configuration.State !== 'Pending' && configuration.LastUpdateStatus !== 'InProgress') return configuration;
      await pause(SETTLING_STEP_MS);
    }
  };

  return {
    async put(definition) {
      const { name } = definition;
      const [code, layerArns, existing] = await Promise.all([
        archiveCode(definition),
        publishInOrder(layers, definition),
        orMissing(settled(name)),
      ]);
      const wanted = configurationOf(connection, definition, layerArns);
      const change =
        existing === undefined
          ? await create(connection, definition, wanted, code)
          : await update(connection, pathOf(name), { existing, wanted, code, settled: () => settled(name) });
      const url = await putUrl(connection, definition, existing !== undefined);
      const { FunctionArn, CodeSha256 } = await settled(name);
      const isChanged = change || url.isChanged;
      return {
        name,
        arn: FunctionArn,
        codeSha256: CodeSha256,
        change: existing === undefined ? 'created' : isChanged ? 'updated' : 'unchanged',
        url: url.url,
      };
    },

    async remove(name) {
      await call({ operation: 'DeleteFunction', method: 'DELETE', path: pathOf(name) });
    },

    async list() {
      const names: string[] = [];
      for (let marker = ''; ; ) {
        const path = `${FUNCTIONS}?MaxItems=50${marker && `&Marker=${encodeURIComponent(marker)}`}`;
        const page = await call({ operation: 'ListFunctions', method: 'GET', path });
        for (const { FunctionName } of page.Functions) names.push(FunctionName);
        if (!page.NextMarker) return names;
        marker = page.NextMarker;
      }
    },
  };
}

/** Invokes a function. An error of the function is a result; only errors of the service are thrown. */
export async function invokeFunction<Payload>(
  connection: ApiConnection,
  name: string,
  payload: unknown,
  { qualifier, type = 'RequestResponse', tenantId, clientContext }: InvokeOptions = {},
): Promise<InvokeResult<Payload>> {
  const query = qualifier === undefined ? '' : `?Qualifier=${encodeURIComponent(qualifier)}`;
  const response = await connection.send({
    operation: 'Invoke',
    method: 'POST',
    path: `${FUNCTIONS}/${encodeURIComponent(name)}/invocations${query}`,
    headers: {
      'x-amz-invocation-type': type,
      ...(type === 'RequestResponse' && { 'x-amz-log-type': 'Tail' }),
      ...(tenantId !== undefined && { 'x-amz-tenant-id': tenantId }),
      ...(clientContext !== undefined && {
        'x-amz-client-context': Buffer.from(JSON.stringify(clientContext)).toString('base64'),
      }),
    },
    input: Buffer.isBuffer(payload) ? payload : Buffer.from(payload === undefined ? '' : JSON.stringify(payload)),
  });
  const log = Buffer.from(headerOf(response, 'x-amz-log-result') ?? '', 'base64').toString();
  return {
    status: response.status,
    functionError: headerOf(response, 'x-amz-function-error'),
    payload: payloadOf(response) as Payload,
    log,
    cold: COLD.test(log),
    requestId: headerOf(response, 'x-amzn-requestid') ?? '',
    version: headerOf(response, 'x-amz-executed-version'),
  };
}

/** In the REPORT of an invocation whose environment was started for it, as text and as JSON. */
const COLD = /\bInit Duration: |"initDurationMs":/;

const SETTLING_STEP_MS = 20;

function payloadOf({ body }: ApiResponse): unknown {
  if (body.length === 0) return undefined;
  const text = body.toString();
  try {
    return parseJson(text);
  } catch {
    return text;
  }
}

/** One after the other: two layers of a function may be versions of one. */
async function publishInOrder(layers: Layers, { layers: sources = [] }: FunctionDefinition): Promise<string[]> {
  const arns: string[] = [];
  for (const source of sources) arns.push((await layers.publish(source)).arn);
  return arns;
}

type Configuration = ReturnType<typeof configurationOf>;

function configurationOf({ target }: ApiConnection, definition: FunctionDefinition, layers: readonly string[]) {
  return {
    Runtime: definition.runtime ?? 'provided.al2023',
    Handler: definition.handler ?? 'index.handler',
    Role: definition.role ?? renderRoleArn({ region: target.region, account: target.accountId }, '/', 'lamella'),
    Description: definition.description ?? '',
    Timeout: definition.timeout ?? 3,
    MemorySize: definition.memory ?? 128,
    EphemeralStorage: { Size: definition.ephemeralStorage ?? 512 },
    Environment: { Variables: definition.environment ?? {} },
    Layers: layers,
  };
}

async function create(
  { call }: ApiConnection,
  { name, architecture }: FunctionDefinition,
  configuration: Configuration,
  { zip }: CodeArchive,
): Promise<true> {
  await call({
    operation: 'CreateFunction',
    method: 'POST',
    path: FUNCTIONS,
    input: {
      ...configuration,
      FunctionName: name,
      Architectures: [architecture ?? machineArchitecture()],
      Code: { ZipFile: zip.toString('base64') },
    },
  });
  return true;
}

type Update = {
  // biome-ignore lint/suspicious/noExplicitAny: a response of the service
  readonly existing: any;
  readonly wanted: Configuration;
  readonly code: CodeArchive;
  readonly settled: () => Promise<unknown>;
};

/** Returns whether anything was different. */
async function update({ call }: ApiConnection, path: string, given: Update): Promise<boolean> {
  const { existing, wanted, code, settled } = given;
  const hasOtherCode = existing.CodeSha256 !== code.sha256;
  const hasOtherConfiguration = !isEqual(wanted, shownConfiguration(existing));
  if (hasOtherConfiguration) {
    await call({
      operation: 'UpdateFunctionConfiguration',
      method: 'PUT',
      path: `${path}/configuration`,
      input: wanted,
    });
    if (hasOtherCode) await settled();
  }
  if (hasOtherCode) {
    const input = { ZipFile: code.zip.toString('base64') };
    await call({ operation: 'UpdateFunctionCode', method: 'PUT', path: `${path}/code`, input });
  }
  return hasOtherCode || hasOtherConfiguration;
}

// biome-ignore lint/suspicious/noExplicitAny: a response of the service
function shownConfiguration(shown: any): Configuration {
  const { Runtime, Handler, Role, Description, Timeout, MemorySize, EphemeralStorage } = shown;
  return {
    ...{ Runtime, Handler, Role, Description, Timeout, MemorySize, EphemeralStorage },
    Environment: { Variables: shown.Environment?.Variables ?? {} },
    Layers: (shown.Layers ?? []).map(({ Arn }: { Arn: string }) => Arn),
  };
}

function isEqual(a: Configuration, b: Configuration): boolean {
  const text = (configuration: Configuration) => JSON.stringify(sorted(configuration));
  return text(a) === text(b);
}

function sorted(value: unknown): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
  const members = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  return Object.fromEntries(members.map(([name, member]) => [name, sorted(member)]));
}

type PutUrl = { readonly url: string | undefined; readonly isChanged: boolean };

const URL_STATEMENT = 'lamella-function-url';

async function putUrl(
  connection: ApiConnection,
  { name, url }: FunctionDefinition,
  mayExist: boolean,
): Promise<PutUrl> {
  const { call } = connection;
  const path = `/2021-10-31/functions/${encodeURIComponent(name)}/url`;
  const existing = mayExist
    ? await orMissing(call({ operation: 'GetFunctionUrlConfig', method: 'GET', path }))
    : undefined;
  if (url === undefined || url === false) {
    if (existing !== undefined) await call({ operation: 'DeleteFunctionUrlConfig', method: 'DELETE', path });
    return { url: undefined, isChanged: existing !== undefined };
  }
  const { authType = 'NONE', invokeMode = 'BUFFERED' }: FunctionUrlDefinition = url === true ? {} : url;
  const input = { AuthType: authType, InvokeMode: invokeMode };
  if (existing?.AuthType === authType && existing.InvokeMode === invokeMode) {
    return { url: existing.FunctionUrl, isChanged: false };
  }
  const configured = await call(
    existing === undefined
      ? { operation: 'CreateFunctionUrlConfig', method: 'POST', path, input }
      : { operation: 'UpdateFunctionUrlConfig', method: 'PUT', path, input },
  );
  if (authType === 'NONE') await allowEverybody(connection, name);
  return { url: configured.FunctionUrl, isChanged: true };
}

/** AWS requires this statement besides the authentication type NONE. */
async function allowEverybody({ call }: ApiConnection, name: string): Promise<void> {
  const input = {
    StatementId: URL_STATEMENT,
    Action: 'lambda:InvokeFunctionUrl',
    Principal: '*',
    FunctionUrlAuthType: 'NONE',
  };
  const path = `${FUNCTIONS}/${encodeURIComponent(name)}/policy`;
  await call({ operation: 'AddPermission', method: 'POST', path, input }).catch((failure: unknown) => {
    // From an earlier definition.
    if (!(failure instanceof Error) || failure.name !== 'ResourceConflictException') throw failure;
  });
}

function machineArchitecture(): string {
  return process.arch === 'arm64' ? 'arm64' : 'x86_64';
}

function pause(ms: number): Promise<void> {
  return sleep(systemClock, ms);
}
