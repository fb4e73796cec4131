/** Successful invocations: cold and warm, sequential and parallel, before and after an update. */
import {
  DeleteFunctionCommand,
  InvokeCommand,
  UpdateFunctionCodeCommand,
  waitUntilFunctionUpdatedV2,
} from '@aws-sdk/client-lambda';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { shellRuntime, zipOf } from '../support/function-zip.ts';
import { type RunningService, startService } from '../support/running-service.ts';

let service: RunningService;

beforeAll(async () => {
  service = await startService();
});
afterAll(() => service.close());

describe('an invocation', () => {
  it('is cold once and then warm, in the same process', async () => {
    await service.createFunction('greets', {
      bootstrap: shellRuntime('echo working; respond "Hello from $$"', 'echo starting'),
    });
    const cold = await service.invoke('greets', { name: 'World' });
    const id = cold.response.$metadata.requestId;
    expect(cold.log).toMatch(
      new RegExp(
        `^starting\\nSTART RequestId: ${id} Version: \\$LATEST\\nworking\\nEND RequestId: ${id}\\n` +
          `REPORT RequestId: ${id}\\tDuration: [\\d.]+ ms\\tBilled Duration: \\d+ ms\\tMemory Size: 128 MB\\tMax Memory Used: \\d+ MB\\tInit Duration: [\\d.]+ ms\\t\\n$`,
      ),
    );
    const warm = await service.invoke('greets', { name: 'World' });
    expect(warm.payload).toBe(cold.payload);
    expect(warm.payload).toMatch(/^Hello from \d+$/);
    expect(warm.log).toMatch(/^START .*\nworking\nEND .*\nREPORT .*\tMax Memory Used: \d+ MB\t\n$/);
    expect(warm.response.ExecutedVersion).toBe('$LATEST');
  });

  it('has its event, context and variables as on AWS', async () => {
    await service.createFunction(
      'tells-its-environment',
      { bootstrap: shellRuntime('respond "$(env | sort; echo "cwd=$(pwd)"; cat "$HEADERS"; echo "event=$EVENT")"') },
      {
        Environment: { Variables: { GREETING: 'Grüezi', TZ: 'Europe/Zurich' } },
        MemorySize: 256,
        Timeout: 7,
        Handler: 'src/index.run',
      },
    );
    const response = await service.client.send(
      new InvokeCommand({
        FunctionName: 'tells-its-environment',
        Payload: Buffer.from('{"a": "ü"}'),
        ClientContext: Buffer.from('{"custom":{"k":"v"}}').toString('base64'),
      }),
    );
    const text = Buffer.from(response.Payload ?? []).toString();
    const lines = text.split(/\r?\n/);
    for (const line of [
      'GREETING=Grüezi',
      'TZ=Europe/Zurich',
      '_HANDLER=src/index.run',
      'AWS_LAMBDA_FUNCTION_NAME=tells-its-environment',
      'AWS_LAMBDA_FUNCTION_VERSION=$LATEST',
      'AWS_LAMBDA_FUNCTION_MEMORY_SIZE=256',
      'AWS_LAMBDA_LOG_GROUP_NAME=/aws/lambda/tells-its-environment',
      'AWS_LAMBDA_INITIALIZATION_TYPE=on-demand',
      'AWS_REGION=us-east-1',
      'LAMBDA_TASK_ROOT=/var/task',
      'LANG=en_US.UTF-8',
      'cwd=/var/task',
      'event={"a": "ü"}',
      'Lambda-Runtime-Client-Context: {"custom":{"k":"v"}}',
      'Lambda-Runtime-Invoked-Function-Arn: arn:aws:lambda:us-east-1:123456789012:function:tells-its-environment',
    ]) {
      expect(lines).toContain(line);
    }
    expect(text).toMatch(/^AWS_LAMBDA_LOG_STREAM_NAME=\d{4}\/\d\d\/\d\d\/\[\$LATEST\][0-9a-f]{32}$/m);
    expect(text).toMatch(/^Lambda-Runtime-Trace-Id: Root=1-[0-9a-f]{8}-[0-9a-f]{24};/m);
    const deadline = Number(/^Lambda-Runtime-Deadline-Ms: (\d+)/m.exec(text)?.[1]);
    expect(deadline - Date.now()).toBeGreaterThan(0);
    expect(deadline - Date.now()).toBeLessThanOrEqual(7000);
    for (const absent of [
      'HOME',
      'USER',
      'SUDO_USER',
      'NODE_OPTIONS',
      'AWS_EXECUTION_ENV',
      '_X_AMZN_TRACE_ID',
      'VITEST',
    ]) {
      expect(text).not.toMatch(new RegExp(`^${absent}=`, 'm'));
    }
  });

  it('runs in parallel with others in separate environments', async () => {
    await service.createFunction('takes-a-while', {
      bootstrap: shellRuntime('sleep 0.3; respond "$$ $(ls /tmp | wc -l)"'),
    });
    const invoked = await Promise.all(Array.from({ length: 8 }, () => service.invoke('takes-a-while')));
    expect(invoked.map(({ functionError }) => functionError)).toEqual(Array(8).fill(undefined));
    const streams = new Set(invoked.map(({ response }) => response.$metadata.requestId));
    expect(streams.size).toBe(8);
  });

  it('never runs code from before an update', async () => {
    await service.createFunction('changes', { bootstrap: shellRuntime('respond old') });
    expect((await service.invoke('changes')).payload).toBe('old');
    await service.client.send(
      new UpdateFunctionCodeCommand({
        FunctionName: 'changes',
        ZipFile: await zipOf({ bootstrap: shellRuntime('respond new') }),
      }),
    );
    await waitUntilFunctionUpdatedV2(
      { client: service.client, maxWaitTime: 5, minDelay: 0.02, maxDelay: 0.1 },
      { FunctionName: 'changes' },
    );
    const responses = await Promise.all(Array.from({ length: 4 }, () => service.invoke('changes')));
    expect(responses.map(({ payload }) => payload)).toEqual(['new', 'new', 'new', 'new']);
  });

  it('finds layers merged under /opt, later ones on top', async () => {
    const first = await service.publishLayer('first', {
      'lib/a.txt': 'first a',
      'lib/b.txt': 'first b',
      'bin/tool': '#!/bin/sh\necho tool\n',
    });
    const second = await service.publishLayer('second', { 'lib/b.txt': 'second b', 'lib/c.txt': 'second c' });
    await service.createFunction(
      'uses-layers',
      { bootstrap: shellRuntime('respond "$(cat /opt/lib/a.txt /opt/lib/b.txt /opt/lib/c.txt; tool)"') },
      { Layers: [first, second] },
    );
    expect((await service.invoke('uses-layers')).payload).toBe('first asecond bsecond ctool');
  });

  it('starts a bootstrap from a layer', async () => {
    const layer = await service.publishLayer('runtime', { bootstrap: shellRuntime('. /var/task/handler.sh') });
    await service.createFunction('only-code', { 'handler.sh': 'respond from-the-layer' }, { Layers: [layer] });
    expect((await service.invoke('only-code')).payload).toBe('from-the-layer');
  });

  it('is rejected once the function is deleted', async () => {
    await service.createFunction('short-lived', { bootstrap: shellRuntime('respond 1') });
    await service.invoke('short-lived');
    await service.client.send(new DeleteFunctionCommand({ FunctionName: 'short-lived' }));
    await expect(service.invoke('short-lived')).rejects.toMatchObject({ name: 'ResourceNotFoundException' });
  });

  // Without control groups memory is sampled every 100 ms: the process keeps what it has touched for a second.
  it("reports the function's memory, without the files that it reads", async () => {
    await service.createFunction(
      'holds-memory',
      {
        bootstrap: shellRuntime(`case "$EVENT" in
  *touch*) python3 -c 'import time; x = bytearray(50 << 20); x[::4096] = b"1" * len(x[::4096]); time.sleep(1)';;
  *read*) head -c 104857600 /dev/zero > /tmp/file; cat /tmp/file > /dev/null;;
esac
respond 1`),
      },
      { MemorySize: 512 },
    );
    const used = (log: string) => Number(/Max Memory Used: (\d+) MB/.exec(log)?.[1]);
    const idle = used((await service.invoke('holds-memory')).log);
    const reading = used((await service.invoke('holds-memory', { read: 1 })).log);
    const touching = used((await service.invoke('holds-memory', { touch: 1 })).log);
    expect(reading - idle).toBeLessThan(10);
    expect(touching - idle).toBeGreaterThan(45);
    expect(touching - idle).toBeLessThan(80);
  });
});
