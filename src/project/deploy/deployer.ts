/** What every step of a deployment gets: the cloud, the person or log that watches, and the signal that ends it. */
import type { CloudClient } from '../cloud/cloud-client.ts';
import type { StackApi, StackEvent } from '../cloud/stack-api.ts';

export type Deployer = {
  readonly client: CloudClient;
  readonly stacks: StackApi;
  /** The same without the signal, for cleaning up after it. */
  readonly cleanup: StackApi;
  readonly signal: AbortSignal | undefined;
  onStatus(line: string): void;
  onEvent(event: StackEvent): void;
};
