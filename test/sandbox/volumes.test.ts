/** Volumes: their size, what they outlive, and that they leave nothing behind. */
import { readdir, readFile } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { HostCapabilities } from '../../src/sandbox/host/host-capabilities.ts';
import type { SandboxService } from './sandbox-service.ts';
import { accounts, forgetBundle, startSandboxService } from './sandbox-service.ts';

const MB = 1024 * 1024;

afterAll(forgetBundle);

describe.each(accounts())('a volume of a service that is $name', (account) => {
  let service: SandboxService;
  let isLimited: boolean;

  beforeAll(async () => {
    service = await startSandboxService(account);
    const { host } = (await service.capabilities()) as HostCapabilities;
    isLimited = host?.volumes.kind === 'loop';
  });
  afterAll(async () => service.end());

  const openWith = async (sizeBytes: number, changes = {}): Promise<number> => {
    const spec = await service.spec(changes);
    const mounts = spec.mounts.filter(({ target }) => target !== '/tmp');
    return service.open({ ...spec, mounts, volume: { target: '/tmp', sizeBytes } });
  };
  const output = async (sandbox: number, command: string): Promise<string> =>
    (await service.sh(sandbox, command)).output.trim();

  it('is empty and world-writable', async () => {
    const sandbox = await openWith(8 * MB);
    expect(await output(sandbox, 'ls -A /tmp; stat -c %a /tmp; echo x >/tmp/x && cat /tmp/x')).toBe('1777\nx');
    await service.close(sandbox);
  });

  it.each([8, 512])('of %i MB holds exactly this size, then there is no space left', async (size) => {
    const sandbox = await openWith(size * MB);
    const fill = `dd if=/dev/zero of=/tmp/all bs=1M count=${size} status=none && stat -c %s /tmp/all`;
    if (isLimited) {
      expect(await output(sandbox, fill)).toBe(`${size * MB}`);
      const beyond = 'dd if=/dev/zero of=/tmp/more bs=64k count=2 status=none';
      expect(await output(sandbox, beyond)).toContain('No space left on device');
      expect(await output(sandbox, 'rm /tmp/all /tmp/more; echo again >/tmp/again; cat /tmp/again')).toBe('again');
    } else {
      expect(account.uid).not.toBe(0);
    }
    await service.close(sandbox);
  });

  it('is mounted with nosuid and nodev', async (context) => {
    if (!isLimited) context.skip('only mounted volumes have options');
    const sandbox = await openWith(8 * MB);
    const options = await output(sandbox, "grep ' /tmp ' /proc/self/mounts");
    expect(options).toContain('nosuid');
    expect(options).toContain('nodev');
    await service.close(sandbox);
  });

  it('keeps its contents when all processes are killed', async () => {
    const sandbox = await openWith(8 * MB);
    await service.sh(sandbox, 'echo kept >/tmp/kept');
    await service.killAll(sandbox);
    expect(await output(sandbox, 'cat /tmp/kept')).toBe('kept');
    await service.close(sandbox);
    const next = await openWith(8 * MB);
    expect(await output(next, 'ls -A /tmp')).toBe('');
    await service.close(next);
  });

  it('can hold more than the memory limit, and does not count as memory', async () => {
    const sandbox = await openWith(256 * MB, { memoryLimitBytes: 64 * MB });
    const copied = 'dd if=/dev/zero of=/tmp/big bs=1M count=200 status=none && cat /tmp/big | wc -c';
    expect(await output(sandbox, copied)).toBe(`${200 * MB}`);
    expect(await service.takeOutOfMemory(sandbox)).toBe(false);
    expect(((await service.peakMemoryBytes(sandbox)) as number) / MB).toBeLessThan(16);
    await service.close(sandbox);
  });

  it('leaves nothing behind, even if there are many', async () => {
    const own = await startSandboxService(account);
    const opened = await Promise.all(
      Array.from({ length: 40 }, async (_, number) => {
        const spec = await own.spec();
        const plain = spec.mounts.filter(({ target }) => target !== '/tmp');
        const sandbox = await own.open({ ...spec, mounts: plain, volume: { target: '/tmp', sizeBytes: 8 * MB } });
        await own.sh(sandbox, `echo ${number} >/tmp/mine`);
        return sandbox;
      }),
    );
    const outputs = await Promise.all(opened.map(async (sandbox) => (await own.sh(sandbox, 'cat /tmp/mine')).output));
    expect(outputs).toEqual(opened.map((_, number) => `${number}\n`));
    expect(await hostMounts(own.directory)).toEqual([]);
    if (isLimited) expect(await loopFiles(own.directory)).not.toEqual([]);
    await own.closeAll();
    // The mounts are gone by now. The kernel releases the devices a little later.
    await expect.poll(() => loopFiles(own.directory), { timeout: 10_000 }).toEqual([]);
    expect(await readdir(own.directory)).not.toContain('run');
    await own.end();
  }, 60_000);

  it('disappears with a service that is killed', async () => {
    const own = await startSandboxService(account);
    const spec = await own.spec();
    const plain = spec.mounts.filter(({ target }) => target !== '/tmp');
    const sandbox = await own.open({ ...spec, mounts: plain, volume: { target: '/tmp', sizeBytes: 8 * MB } });
    await own.startSh(sandbox, 'echo x >/tmp/x; sleep 1000');
    await own.kill();
    await expect.poll(() => loopFiles(own.directory), { timeout: 10_000 }).toEqual([]);
    await own.end();
  });
});

describe('a volume on a host that fails to mount it', () => {
  it('is a directory without a size limit', async () => {
    const [account] = accounts();
    if (account === undefined) throw new Error('there is always an account');
    const service = await startSandboxService(account, undefined, { cannotMount: true });
    const spec = await service.spec();
    const plain = spec.mounts.filter(({ target }) => target !== '/tmp');
    const sandbox = await service.open({ ...spec, mounts: plain, volume: { target: '/tmp', sizeBytes: 8 * MB } });
    const { output } = await service.sh(sandbox, 'dd if=/dev/zero of=/tmp/all bs=1M count=9 status=none && ls /tmp');
    expect(output).toBe('all\n');
    await service.end();
  });
});

/** What this mount namespace has mounted of the volumes below `directory`. Other tests mount theirs meanwhile. */
async function hostMounts(directory: string): Promise<string[]> {
  const devices = (await loopDevices(directory)).map(({ device }) => device);
  const mounts = (await readFile('/proc/self/mountinfo', 'utf8')).split('\n');
  return mounts.filter((mount) => mount.includes(directory) || devices.some((device) => mount.includes(` ${device} `)));
}

/** The backing files of loop devices below `directory`, including unlinked ones. */
async function loopFiles(directory: string): Promise<string[]> {
  return (await loopDevices(directory)).map(({ file }) => file);
}

async function loopDevices(directory: string): Promise<{ device: string; file: string }[]> {
  const names = (await readdir('/sys/block')).filter((name) => name.startsWith('loop'));
  const devices = await Promise.all(
    names.map(async (name) => ({
      device: `/dev/${name}`,
      file: await readFile(`/sys/block/${name}/loop/backing_file`, 'utf8').catch(() => ''),
    })),
  );
  return devices.filter(({ file }) => file.startsWith(`${directory}/`));
}
