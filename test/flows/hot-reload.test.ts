/**
 * Functions that run from a directory of this machine: the bucket hot-reload, `--hot-reload-dir`, and what a change in the
 * directory does. Real sandboxes and a real watcher; one service for all cases that can share it.
 */
import { mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  CreateFunctionCommand,
  GetFunctionCommand,
  PublishLayerVersionCommand,
  PublishVersionCommand,
  UpdateFunctionCodeCommand,
} from '@aws-sdk/client-lambda';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { shellRuntime } from '../support/function-zip.ts';
import { type Gate, startGate } from '../support/gate.ts';
import { ROLE, type RunningService, startService } from '../support/running-service.ts';
import { until } from '../support/until.ts';

let root: string;
let service: RunningService;
let gate: Gate;
/** Parts of paths that no other case uses. */
let count = 0;

beforeAll(async () => {
  root = mkdtempSync(join(tmpdir(), 'lamella-hot-'));
  mkdirSync(join(root, 'projects'));
  mkdirSync(join(root, 'outside'));
  gate = await startGate();
  service = await startService({ hotReloadDirs: [join(root, 'projects')] });
});
afterAll(async () => {
  gate.close();
  await service.close();
  rmSync(root, { recursive: true });
});

/** Responds with `text`, and with how many invocations this environment has had. */
const program = (text: string) => shellRuntime(`N=$((N + 1)); respond "${text} $N"`);

function project(files: Record<string, string> = { bootstrap: program('first') }): { name: string; directory: string } {
  count += 1;
  const name = `hot-${count}`;
  const directory = join(root, 'projects', name);
  for (const [path, content] of Object.entries(files)) write(join(directory, path), content);
  return { name, directory };
}

function write(file: string, content: string): void {
  mkdirSync(join(file, '..'), { recursive: true });
  writeFileSync(file, content, { mode: 0o755 });
}

const create = (name: string, directory: string, to = service) =>
  to.client.send(
    new CreateFunctionCommand({
      FunctionName: name,
      Runtime: 'provided.al2023',
      Handler: 'any',
      Role: ROLE,
      Code: { S3Bucket: 'hot-reload', S3Key: directory },
    }),
  );

/** Invokes, and waits until the environment is free again, so that the next invocation finds it. */
async function invoke(name: string): Promise<string> {
  const { payload } = await service.invoke(name);
  await until(async () => {
    const response = await fetch(`${service.url}/_lamella/environments`);
    const { environments } = (await response.json()) as { environments: { function: string; phase: string }[] };
    const own = environments.filter((environment) => environment.function === name);
    return own.every(({ phase }) => phase === 'idle' || phase === 'invoking');
  });
  return payload;
}

describe('a function of the bucket hot-reload', () => {
  it('runs what the directory contains, and after a change the new content in a new environment', async () => {
    const { name, directory } = project();
    await create(name, directory);
    expect(await invoke(name)).toBe('first 1');
    expect(await invoke(name)).toBe('first 2');
    write(join(directory, 'bootstrap'), program('second'));
    expect(await invoke(name)).toBe('second 1');
    expect(await invoke(name)).toBe('second 2');
  });

  it('notices a file that an editor replaces, a new directory, a removed file, and none of its own files', async () => {
    const { name, directory } = project({ bootstrap: shellRuntime('N=$((N + 1)); respond "$(cat lib/*.txt) $N"') });
    write(join(directory, 'lib/a.txt'), 'a');
    await create(name, directory);
    expect(await invoke(name)).toBe('a 1');
    write(join(directory, 'lib/.a.txt.swp'), 'swap');
    write(join(directory, 'lib/a.txt~'), 'backup');
    expect(await invoke(name)).toBe('a 2');
    write(join(directory, 'lib/a.new'), 'b');
    renameSync(join(directory, 'lib/a.new'), join(directory, 'lib/a.txt'));
    expect(await invoke(name)).toBe('b 1');
    rmSync(join(directory, 'lib'), { recursive: true });
    write(join(directory, 'lib/deep/unused'), '');
    write(join(directory, 'lib/c.txt'), 'c');
    expect(await invoke(name)).toBe('c 1');
    write(join(directory, 'lib/deep/unused'), 'changed');
    expect(await invoke(name)).toBe('c 1');
  });

  it('does not start anew for what the package would leave out', async () => {
    const { name, directory } = project();
    write(join(directory, '.lamellaignore'), '/docs/\n');
    await create(name, directory);
    expect(await invoke(name)).toBe('first 1');
    for (const path of ['docs/page.md', '.git/index', 'tests/hello.php', '.env']) write(join(directory, path), 'x');
    expect(await invoke(name)).toBe('first 2');
    write(join(directory, '.lamellaignore'), '');
    write(join(directory, 'docs/page.md'), 'y');
    expect(await invoke(name)).toBe('first 1');
  });

  it('starts anew once for a thousand files, and lets an invocation that is under way end', async () => {
    const { name, directory } = project({
      bootstrap: shellRuntime(`N=$((N + 1)); curl -sS "${gate.url}/running"; respond "old $N"`),
    });
    await create(name, directory);
    const running = invoke(name);
    await gate.arrived('running');
    for (let at = 0; at < 1000; at += 1) write(join(directory, `src/${at % 30}/${at}.php`), '<?php');
    write(join(directory, 'bootstrap'), program('new'));
    expect(await invoke(name)).toBe('new 1');
    gate.open('running');
    expect(await running).toBe('old 1');
    expect(await invoke(name)).toBe('new 2');
    expect(await invoke(name)).toBe('new 3');
  });

  it('is also renewed as a published version, and shows no archive', async () => {
    const { name, directory } = project();
    await create(name, directory);
    await service.client.send(new PublishVersionCommand({ FunctionName: name }));
    expect((await service.invoke(name, {}, { Qualifier: '1' })).payload).toBe('first 1');
    write(join(directory, 'bootstrap'), program('second'));
    expect((await service.invoke(name, {}, { Qualifier: '1' })).payload).toBe('second 1');
    const { Code, Configuration } = await service.client.send(new GetFunctionCommand({ FunctionName: name }));
    expect(Code?.Location).toBeUndefined();
    expect(Configuration).toMatchObject({ CodeSize: 0, PackageType: 'Zip' });
  });

  it('cannot write into its directory', async () => {
    const { name, directory } = project({
      bootstrap: shellRuntime('respond "$(touch /var/task/made 2>&1)"'),
    });
    await create(name, directory);
    expect(await invoke(name)).toContain('Read-only file system');
  });

  it('sees what links lead to, below the allowed directory, and its changes', async () => {
    const { name, directory } = project({
      bootstrap: shellRuntime('N=$((N + 1)); respond "$(cat vendor/acme/tool/t.txt outside/t.txt 2>&1) $N"'),
    });
    const shared = join(root, 'projects', `${name}-shared`);
    write(join(shared, 't.txt'), 'shared ');
    write(join(root, 'outside/t.txt'), 'secret');
    mkdirSync(join(directory, 'vendor/acme'), { recursive: true });
    symlinkSync(`../../../${name}-shared`, join(directory, 'vendor/acme/tool'));
    symlinkSync(join(root, 'outside'), join(directory, 'outside'));
    await create(name, directory);
    expect(await invoke(name)).toBe('shared cat: outside/t.txt: No such file or directory 1');
    write(join(shared, 't.txt'), 'other ');
    expect(await invoke(name)).toBe('other cat: outside/t.txt: No such file or directory 1');
  });

  it('takes code of the bucket in an update, and code of a zip after that', async () => {
    const { name, directory } = project();
    await service.createFunction(name, { bootstrap: program('zip') });
    const update = { FunctionName: name, S3Bucket: 'hot-reload', S3Key: `${directory}/` };
    await service.client.send(new UpdateFunctionCodeCommand(update));
    expect(await invoke(name)).toBe('first 1');
  });

  it('fails with the reason when its directory has gone, and runs when it is there again', async () => {
    const { name, directory } = project();
    await create(name, directory);
    expect(await invoke(name)).toBe('first 1');
    renameSync(directory, `${directory}-away`);
    await expect(service.invoke(name)).rejects.toThrow(`Lamella cannot mount ${directory}: it is not a directory.`);
    renameSync(`${directory}-away`, directory);
    expect(await invoke(name)).toBe('first 1');
    write(join(directory, 'bootstrap'), program('second'));
    expect(await invoke(name)).toBe('second 1');
  });
});

describe('is refused by name', () => {
  it('for a directory that is not allowed, also by a link or by ..', async () => {
    const { directory } = project();
    symlinkSync(join(root, 'outside'), join(root, 'projects/leads-out'));
    const outside = [
      join(root, 'outside'),
      `${directory}/../../outside`,
      join(root, 'projects/leads-out'),
      '/',
      '/etc',
    ];
    for (const key of outside)
      await expect(create('refused', key)).rejects.toThrow(/^Lamella does not mount .* --hot-reload-dir/);
    await expect(create('refused', `${root}/projects-2`)).rejects.toThrow(/^Lamella does not mount/);
    await expect(create('refused', join(root, 'projects/none'))).rejects.toThrow(/it is not a directory/);
    await expect(create('refused', 'src')).rejects.toThrow(
      /^Invalid S3Key "src" for the bucket hot-reload: use the absolute/,
    );
  });

  it('for a layer', async () => {
    const { directory } = project();
    const layer = { LayerName: 'hot', Content: { S3Bucket: 'hot-reload', S3Key: directory } };
    await expect(service.client.send(new PublishLayerVersionCommand(layer))).rejects.toThrow(/layers cannot/);
  });

  it('without --hot-reload-dir, and while others can reach the service', async () => {
    const { directory } = project();
    const [closed, open] = await Promise.all([
      startService(),
      startService({ host: '0.0.0.0', hotReloadDirs: [root] }),
    ]);
    try {
      await expect(create('refused', directory, closed)).rejects.toThrow(
        /allows none. Start Lamella with --hot-reload-dir/,
      );
      await expect(create('refused', directory, open)).rejects.toThrow(
        /refused while the service listens on 0\.0\.0\.0/,
      );
    } finally {
      await Promise.all([closed.close(), open.close()]);
    }
  });
});
