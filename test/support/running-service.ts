/** A whole service in this process, on a free port and an ephemeral data directory, with the AWS SDK as its client. */
import {
  CreateFunctionCommand,
  type CreateFunctionCommandInput,
  InvokeCommand,
  type InvokeCommandOutput,
  LambdaClient,
  PublishLayerVersionCommand,
  waitUntilFunctionActiveV2,
} from '@aws-sdk/client-lambda';
import { type Lamella, start } from '../../src/lamella.ts';
import { type Given, resolveOptions } from '../../src/options.ts';
import { type ZipFiles, zipOf } from './function-zip.ts';

export const ROLE = 'arn:aws:iam::123456789012:role/service-role/LambdaPhpExample';

export type Invoked = {
  readonly status: number | undefined;
  readonly functionError: string | undefined;
  readonly payload: string;
  /** The log tail, decoded. */
  readonly log: string;
  readonly response: InvokeCommandOutput;
};

/** `Service` is another type when the service runs in its own process. */
export class RunningService<Service extends Pick<Lamella, 'url' | 'close'> = Lamella> {
  readonly lamella: Service;
  readonly client: LambdaClient;

  constructor(lamella: Service) {
    this.lamella = lamella;
    this.client = clientOf(lamella.url);
  }

  get url(): string {
    return this.lamella.url;
  }

  /** Creates a function of `files` and waits until it is active. */
  async createFunction(name: string, files: ZipFiles, more: Partial<CreateFunctionCommandInput> = {}): Promise<void> {
    await this.client.send(
      new CreateFunctionCommand({
        FunctionName: name,
        Runtime: 'provided.al2023',
        Handler: 'handler',
        Role: ROLE,
        Code: { ZipFile: await zipOf(files) },
        ...more,
      }),
    );
    await waitUntilFunctionActiveV2(
      { client: this.client, maxWaitTime: 10, minDelay: 0.02, maxDelay: 0.1 },
      { FunctionName: name },
    );
  }

  async publishLayer(name: string, files: ZipFiles): Promise<string> {
    const zip = await zipOf(files);
    const published = await this.client.send(
      new PublishLayerVersionCommand({ LayerName: name, Content: { ZipFile: zip } }),
    );
    return published.LayerVersionArn ?? '';
  }

  /** Invokes synchronously. Requests the log tail by default. */
  async invoke(
    name: string,
    payload: unknown = {},
    more: { LogType?: 'Tail' | 'None'; Qualifier?: string } = {},
  ): Promise<Invoked> {
    const response = await this.client.send(
      new InvokeCommand({
        FunctionName: name,
        Payload: typeof payload === 'string' ? payload : JSON.stringify(payload),
        LogType: 'Tail',
        ...more,
      }),
    );
    return {
      status: response.StatusCode,
      functionError: response.FunctionError,
      payload: Buffer.from(response.Payload ?? []).toString(),
      log: Buffer.from(response.LogResult ?? '', 'base64').toString(),
      response,
    };
  }

  async close(): Promise<void> {
    this.client.destroy();
    await this.lamella.close();
  }
}

export function clientOf(url: string): LambdaClient {
  return new LambdaClient({
    endpoint: url,
    region: 'us-east-1',
    credentials: { accessKeyId: 'test', secretAccessKey: 'test' },
    maxAttempts: 1,
  });
}

/** Starts a service. The caller closes it. CPU is unlimited by default, because tests have many small functions. */
export async function startService(given: Given = {}): Promise<RunningService> {
  const options = resolveOptions({ port: 0, ephemeral: true, logLevel: 'error', cpu: 'unlimited', ...given }, {});
  return new RunningService(await start(options));
}
