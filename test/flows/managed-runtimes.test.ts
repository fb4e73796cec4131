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

  it("finds a layer's packages before the interpreter starts, by the runtime's own version first", async () => {
    const preload = 'globalThis.preloaded = __filename;';
    const layer = await service.publishLayer('preload', {
      'nodejs/node20/node_modules/preload/index.js': preload,
      'nodejs/node20/node_modules/versioned/index.js': 'module.exports = "node20";',
      'nodejs/node_modules/versioned/index.js': 'module.exports = "any";',
      'nodejs/node_modules/agent/index.js': preload,
    });
    const source = `exports.handler = async () => ({
      preloaded: globalThis.preloaded, versioned: require("versioned"), path: process.env.NODE_PATH });`;
    for (const [name, directory] of [
      ['preload', '/opt/nodejs/node20/node_modules/preload'],
      ['agent', '/opt/nodejs/node_modules/agent'],
    ] as const) {
      const options = { Runtime: 'nodejs20.x' as const, Handler: 'index.handler', MemorySize: 512, Layers: [layer] };
      const Environment = { Variables: { NODE_OPTIONS: `-r ${name}` } };
      await service.createFunction(`preloads-${name}`, { 'index.js': source }, { ...options, Environment });
      expect(JSON.parse((await service.invoke(`preloads-${name}`)).payload)).toEqual({
        preloaded: `${directory}/index.js`,
        versioned: 'node20',
        path: '/opt/nodejs/node20/node_modules:/opt/nodejs/node_modules:/var/runtime/node_modules:/var/runtime:/var/task',
      });
    }
  });

  it("keeps the function's own NODE_PATH", async () => {
    await service.createFunction(
      'own-node-path',
      {
        'index.js': 'exports.handler = async () => [process.env.NODE_PATH, require("x")];',
        'lib/x.js': 'module.exports = 1;',
      },
      { Runtime: 'nodejs20.x', Handler: 'index.handler', Environment: { Variables: { NODE_PATH: '/var/task/lib' } } },
    );
    expect(JSON.parse((await service.invoke('own-node-path')).payload)).toEqual(['/var/task/lib', 1]);
  });

  it("finds a Python layer's packages by the runtime's own version, whatever the interpreter", async () => {
    const layer = await service.publishLayer('python-packages', {
      'python/lib/python3.13/site-packages/versioned.py': 'name = "3.13"\n',
      'python/versioned.py': 'name = "any"\n',
      'python/common.py': 'name = "common"\n',
    });
    const app =
      'import os, versioned, common\ndef handler(event, context):\n    return [versioned.name, common.name, os.environ["PYTHONPATH"]]\n';
    await service.createFunction(
      'python-layer',
      { 'app.py': app },
      {
        Runtime: 'python3.13',
        Handler: 'app.handler',
        Layers: [layer],
      },
    );
    expect(JSON.parse((await service.invoke('python-layer')).payload)).toEqual(['3.13', 'common', '/var/runtime']);
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
