/**
 * The service under test. By default Lamella in this process, with the network mode in LAMELLA_CONFORMANCE_NETWORK (default
 * shared). LAMELLA_CONFORMANCE_ENDPOINT selects another service. LAMELLA_CONFORMANCE_REMOTE selects AWS, with the
 * credentials and region of the environment and the role in LAMELLA_CONFORMANCE_ROLE. All resources are removed at the end.
 */
import { CloudWatchLogsClient, DeleteLogGroupCommand, FilterLogEventsCommand } from '@aws-sdk/client-cloudwatch-logs';
import {
  CreateFunctionCommand,
  type CreateFunctionCommandInput,
  DeleteFunctionCommand,
  DeleteLayerVersionCommand,
  InvokeCommand,
  LambdaClient,
  PublishLayerVersionCommand,
  waitUntilFunctionActiveV2,
} from '@aws-sdk/client-lambda';
import { type ZipFiles, zipOf } from '../support/function-zip.ts';
import { ROLE, startService } from '../support/running-service.ts';

export type Answer = {
  readonly functionError: string | undefined;
  readonly payload: string;
  readonly log: string;
  readonly requestId: string;
};

export interface Target {
  readonly isAws: boolean;
  createFunction(name: string, files: ZipFiles, more: Partial<CreateFunctionCommandInput>): Promise<void>;
  publishLayer(name: string, files: ZipFiles): Promise<string>;
  invoke(name: string, event: unknown): Promise<Answer>;
  logOf(name: string): Promise<string>;
  /** Removes all resources, and stops the service if it was started here. */
  close(): Promise<void>;
}

export async function openTarget(): Promise<Target> {
  const { LAMELLA_CONFORMANCE_ENDPOINT: given, LAMELLA_CONFORMANCE_REMOTE: remote } = process.env;
  const network = process.env.LAMELLA_CONFORMANCE_NETWORK ?? 'shared';
  const isAws = Boolean(remote);
  const role = process.env.LAMELLA_CONFORMANCE_ROLE ?? (isAws ? '' : ROLE);
  if (role === '') throw new Error('Set LAMELLA_CONFORMANCE_ROLE to the ARN of an execution role.');
  const service = isAws || given ? undefined : await startService({ network });
  const endpoint = service?.url ?? given;
  const options = endpoint === undefined ? {} : { endpoint, ...LOCAL };
  const lambda = new LambdaClient(options);
  const logs = new CloudWatchLogsClient(options);
  const functions: string[] = [];
  const layers: { readonly LayerName: string; readonly VersionNumber: number }[] = [];

  return {
    isAws,
    async createFunction(name, files, more) {
      const Code = { ZipFile: await zipOf(files) };
      await lambda.send(
        new CreateFunctionCommand({ FunctionName: name, Role: role, Runtime: 'provided.al2023', Code, ...more }),
      );
      functions.push(name);
      const delays = isAws ? { minDelay: 1, maxDelay: 5 } : { minDelay: 0.02, maxDelay: 0.1 };
      await waitUntilFunctionActiveV2({ client: lambda, maxWaitTime: 60, ...delays }, { FunctionName: name });
    },
    async publishLayer(name, files) {
      const Content = { ZipFile: await zipOf(files) };
      const { Version, LayerVersionArn } = await lambda.send(
        new PublishLayerVersionCommand({ LayerName: name, Content }),
      );
      layers.push({ LayerName: name, VersionNumber: Version ?? 0 });
      return LayerVersionArn ?? '';
    },
    async invoke(name, event) {
      const answer = await lambda.send(
        new InvokeCommand({ FunctionName: name, Payload: JSON.stringify(event), LogType: 'Tail' }),
      );
      return {
        functionError: answer.FunctionError,
        payload: Buffer.from(answer.Payload ?? []).toString(),
        log: Buffer.from(answer.LogResult ?? '', 'base64').toString(),
        requestId: answer.$metadata.requestId ?? '',
      };
    },
    async logOf(name) {
      const { events = [] } = await logs.send(new FilterLogEventsCommand({ logGroupName: `/aws/lambda/${name}` }));
      return events.map(({ message }) => message).join('');
    },
    async close() {
      for (const FunctionName of functions) {
        await lambda.send(new DeleteFunctionCommand({ FunctionName }));
        await logs.send(new DeleteLogGroupCommand({ logGroupName: `/aws/lambda/${FunctionName}` })).catch(() => {});
      }
      for (const layer of layers) await lambda.send(new DeleteLayerVersionCommand(layer));
      lambda.destroy();
      logs.destroy();
      await service?.close();
    },
  };
}

const LOCAL = { region: 'us-east-1', credentials: { accessKeyId: 'test', secretAccessKey: 'test' } };
