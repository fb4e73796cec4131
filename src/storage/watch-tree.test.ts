/** Watching a directory: what is reported, what is not, and what happens when the kernel has no watches left. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, realpathSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { bundleForChild } from '../../test/support/bundle-for-child.ts';
import { until } from '../../test/support/until.ts';
import { systemClock } from '../clock.ts';
import { type TreeWatch, type TreeWatchOptions, watchTree } from './watch-tree.ts';

let root: string;
let directory: string;
let opened: TreeWatch[];
beforeEach(() => {
  root = realpathSync(mkdtempSync(join(tmpdir(), 'lamella-watch-')));
  directory = join(root, 'project');
  opened = [];
  write('src/a.php', 'a');
});
afterEach(() => {
  for (const watch of opened) watch.close();
  rmSync(root, { recursive: true });
});

function write(path: string, content: string): void {
  mkdirSync(join(directory, path, '..'), { recursive: true });
  writeFileSync(join(directory, path), content);
}

/** Starts to watch, and returns what is reported. */
async function start(more: Partial<TreeWatchOptions> = {}): Promise<{ watch: TreeWatch; changed: Set<string> }> {
  const changed = new Set<string>();
  const watch = watchTree({
    directory,
    ignores: (path) => path.endsWith('.swp') || path.startsWith('cache'),
    onChange: (path) => changed.add(path),
    clock: systemClock,
    ...more,
  });
  opened.push(watch);
  await watch.ready;
  return { watch, changed };
}

describe('watchTree', () => {
  it('reports files that are written, made, renamed and removed, and none that are ignored', async () => {
    write('cache/x', '1');
    const { changed } = await start();
    write('src/a.php', 'b');
    write('src/.a.php.swp', '');
    write('cache/x', '2');
    write('src/new.php', 'n');
    renameSync(join(directory, 'src/new.php'), join(directory, 'src/b.php'));
    rmSync(join(directory, 'src/a.php'));
    write('last', '');
    await until(() => changed.has('last'));
    expect([...changed].sort()).toEqual(['last', 'src/a.php', 'src/b.php', 'src/new.php']);
  });

  it('watches directories that are made, renamed or reached by a link, and ends where a link leads back', async () => {
    mkdirSync(join(root, 'shared'));
    symlinkSync(join(root, 'shared'), join(directory, 'shared'));
    symlinkSync('..', join(directory, 'src/back'));
    const { watch, changed } = await start();
    expect(watch.size).toBe(3);
    write('lib/deep/c.php', 'c');
    await until(() => changed.has('lib'));
    await until(() => watch.size === 5);
    write('lib/deep/c.php', 'd');
    await until(() => changed.has('lib/deep/c.php'));
    renameSync(join(directory, 'lib'), join(directory, 'other'));
    await until(() => changed.has('other'));
    write('other/deep/c.php', 'e');
    await until(() => changed.has('other/deep/c.php'));
    writeFileSync(join(root, 'shared/s.php'), 's');
    await until(() => changed.has('shared/s.php'));
  });

  it('watches what is deferred after the rest, and reports its changes too', async () => {
    write('node_modules/p/index.js', '1');
    const { watch, changed } = await start({ isDeferred: (path) => path.includes('node_modules') });
    await until(() => watch.size === 4);
    write('node_modules/p/index.js', '2');
    await until(() => changed.has('node_modules/p/index.js'));
  });

  it('knows that another directory has taken the place of the one that it watches', async () => {
    const { watch } = await start();
    expect(watch.isCurrent()).toBe(true);
    renameSync(directory, join(root, 'old'));
    expect(watch.isCurrent()).toBe(false);
    mkdirSync(directory);
    expect(watch.isCurrent()).toBe(false);
  });

  it('reads the directories that the kernel has no watches for, and says which setting allows more', async () => {
    for (const name of ['b', 'c', 'd', 'e']) write(`${name}/file`, 'first');
    const program = await bundleForChild(
      root,
      `import { systemClock } from '../clock.ts';
      import { watchTree } from './watch-tree.ts';
      const watch = watchTree({
        directory: process.argv[2],
        ignores: () => false,
        onChange: (path) => console.log('changed ' + path),
        onLimit: (setting) => console.log('limit ' + setting),
        clock: systemClock,
        pollMs: 20,
      });
      await watch.ready;
      console.log('ready');
      setInterval(() => undefined, 1000);`,
      import.meta.dirname,
    );
    // The limit of a user namespace of its own.
    const limited = 'echo 3 >/proc/sys/user/max_inotify_watches && exec "$0" "$@"';
    const child = spawn('unshare', ['-Ur', 'sh', '-c', limited, process.execPath, program, directory], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    let printed = '';
    child.stdout.on('data', (chunk: Buffer) => {
      printed += chunk;
    });
    await until(() => printed.includes('ready'));
    expect(printed).toMatch(/^limit fs\.inotify\.max_user_watches\n/);
    for (const name of ['b', 'c', 'd', 'e']) write(`${name}/file`, 'second');
    await until(() => ['b', 'c', 'd', 'e'].every((name) => printed.includes(`changed ${name}/file`)));
    child.kill('SIGKILL');
    await once(child, 'close');
  });
});
