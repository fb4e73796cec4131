/** Functions of AWS's managed runtimes, which have no bootstrap. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { shellRuntime } from '../support/function-zip.ts';
import { type RunningService, startService } from '../support/running-service.ts';

let service: RunningService;

beforeAll(async () => {
  service = await startService();
});
afterAll(() => service.close());

describe('a function of a managed runtime', () => {
  it.each(['nodejs20.x', 'nodejs22.x'] as const)(
    '%s runs by the TypeScript runtime on a Node of this machine',
    async (Runtime) => {
      const name = `hello-${Runtime.replace('.', '-')}`;
      await service.createFunction(
        name,
        {
          'index.mjs':
            'export const handler = async (event, context) => { console.log("seen"); return { hello: event.name, id: context.awsRequestId, env: process.env.AWS_EXECUTION_ENV, shell: process.env.SHLVL }; };',
        },
        { Runtime, Handler: 'index.handler', MemorySize: 512 },
      );
      const { payload, log, response } = await service.invoke(name, { name: 'World' });
      expect(JSON.parse(payload)).toEqual({
        hello: 'World',
        id: response.$metadata.requestId,
        env: `AWS_Lambda_${Runtime}`,
        shell: '0',
      });
      expect(log).toMatch(/\tINFO\tseen\n/);
    },
  );

  it('python3.12 runs with a small client on the Python of this machine, with errors as on AWS', async () => {
    await service.createFunction(
      'hello-python',
      {
        'app.py':
          'def handler(event, context):\n    if event.get("bad"):\n        raise ValueError("no good")\n    return {"hello": event["name"], "left": context.get_remaining_time_in_millis() > 0}\n',
      },
      { Runtime: 'python3.12', Handler: 'app.handler', MemorySize: 512 },
    );
    expect(JSON.parse((await service.invoke('hello-python', { name: 'World' })).payload)).toEqual({
      hello: 'World',
      left: true,
    });
    const failed = await service.invoke('hello-python', { bad: true });
    expect([failed.functionError, JSON.parse(failed.payload)]).toMatchObject([
      'Unhandled',
      { errorType: 'ValueError', errorMessage: 'no good' },
    ]);
  });

  it.each([
    ['nodejs20.x', { 'index.mjs': 'export const handler = async () => "handler";' }],
    ['python3.12', { 'index.py': 'def handler(event, context):\n    return "handler"\n' }],
  ] as const)('%s runs its handler, and never a bootstrap in its code or a layer', async (Runtime, files) => {
    const bootstrap = shellRuntime('respond \'"bootstrap"\'');
    const options = { Runtime, Handler: 'index.handler', MemorySize: 512 };
    const tag = Runtime.replace('.', '-');
    await service.createFunction(`file-${tag}`, { ...files, bootstrap }, options);
    await service.createFunction(`directory-${tag}`, { ...files, 'bootstrap/app.php': 'x' }, options);
    const layer = await service.publishLayer(`bootstrap-${tag}`, { bootstrap });
    await service.createFunction(`layer-${tag}`, files, { ...options, Layers: [layer] });
    for (const name of [`file-${tag}`, `directory-${tag}`, `layer-${tag}`]) {
      expect((await service.invoke(name)).payload).toBe('"handler"');
    }
  });

  it('that Lamella does not support runs with a bootstrap of its own, but not with a directory of that name', async () => {
    const bootstrap = shellRuntime('respond \'"bootstrap"\'');
    const options = { Runtime: 'ruby3.3', Handler: 'app.handler' } as const;
    await service.createFunction('ruby-file', { bootstrap }, options);
    expect((await service.invoke('ruby-file')).payload).toBe('"bootstrap"');
    await service.createFunction('ruby-directory', { 'bootstrap/app.rb': 'x' }, options);
    await expect(service.invoke('ruby-directory')).rejects.toThrow(/does not support the runtime ruby3\.3/);
  });

  it('that Lamella does not support can be created, and its invocation names the alternatives', async () => {
    await service.createFunction('in-java', { 'Main.class': 'x' }, { Runtime: 'java21', Handler: 'Main::run' });
    await expect(service.invoke('in-java')).rejects.toThrow(/does not support the runtime java21\..*provided\.al2023/);
  });
});
