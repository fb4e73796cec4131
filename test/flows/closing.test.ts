/** A service that ends while clients are connected. */
import { CloudWatchLogs, StartLiveTailCommand } from '@aws-sdk/client-cloudwatch-logs';
import { CreateQueueCommand, ReceiveMessageCommand, SQSClient } from '@aws-sdk/client-sqs';
import { expect, it } from 'vitest';
import { shellRuntime } from '../support/function-zip.ts';
import { startService } from '../support/running-service.ts';

const CREDENTIALS = { accessKeyId: 'test', secretAccessKey: 'test' };

it('a service that closes ends live tails and long polls immediately, like complete ones', async () => {
  const service = await startService();
  const place = { endpoint: service.url, region: 'us-east-1', credentials: CREDENTIALS, maxAttempts: 1 };
  const logs = new CloudWatchLogs({ ...place, disableHostPrefix: true });
  const sqs = new SQSClient(place);
  await service.createFunction('writes', { bootstrap: shellRuntime('respond ok') });
  await service.invoke('writes');
  const { responseStream } = await logs.send(
    new StartLiveTailCommand({
      logGroupIdentifiers: ['arn:aws:logs:us-east-1:123456789012:log-group:/aws/lambda/writes'],
    }),
  );
  const events = responseStream?.[Symbol.asyncIterator]();
  expect((await events?.next())?.value).toHaveProperty('sessionStart');
  const { QueueUrl } = await sqs.send(new CreateQueueCommand({ QueueName: 'empty' }));
  const poll = sqs.send(new ReceiveMessageCommand({ QueueUrl, WaitTimeSeconds: 20 }));
  // The poll has arrived when a later request has a response.
  await service.invoke('writes');

  await service.close();
  expect((await poll).Messages).toBeUndefined();
  for (let next = await events?.next(); !next?.done; next = await events?.next()) {
    expect(next?.value).toHaveProperty('sessionUpdate');
  }
  logs.destroy();
  sqs.destroy();
});
