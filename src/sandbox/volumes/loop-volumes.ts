/**
 * Volumes as ext4 file systems in sparse files. They are mounted in a separate mount namespace, which is held by a shell
 * that dies with the service. However the service ends, the mounts, their loop devices and their files disappear: the
 * files are unlinked as soon as they are mounted.
 *
 * Creating a file system takes long, so there is one template per size, which is copied. Volumes are mounted in advance,
 * because a cold start has no time for it. If many are needed at once, several are mounted in parallel.
 */
import assert from 'node:assert/strict';
import { closeSync, ftruncateSync, mkdirSync, openSync, rmdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { Cancel, Clock } from '../../clock.ts';
import type { Log } from '../../log.ts';
import { exhaustedResource } from '../../operator-error.ts';
import type { SandboxTools, VolumeTools } from '../host/sandbox-host.ts';
import type { Child } from '../process/spawn.ts';
import { runTool, startChild } from '../process/spawn.ts';
import type { Volume, Volumes } from './volumes.ts';

/** What loop volumes are started with. */
export type LoopVolumesOptions = {
  readonly tools: SandboxTools & VolumeTools;
  readonly clock: Clock;
  readonly log: Log;
  readonly directory: string;
  readonly usualBytes: number | undefined;
  /** Provides volumes if the kernel refuses to mount one, but not on a full disk. */
  readonly fallback: Volumes;
};

const BLOCK = 4096;
/** Additional space for the file system's own data. The file is sparse, so this can be generous. */
const OVERHEAD = { share: 0.05, bytes: 4 * 1024 * 1024 };
/** Blocks for the extent tree of a fragmented file, so that the last byte of the volume can be used. */
const SLACK_BLOCKS = 16;
/** Number of volumes kept ready: of the usual size, and of each of the other sizes used last. */
const READY = { usual: 2, other: 1 };
const OTHER_SIZES = 3;
/** Taking a volume means that a cold start is in progress. Copying and mounting another one takes as long as all of it. */
const REFILL_DELAY_MS = 80;

/** Maximum number of parallel mounts. Most of the time goes into waiting for loop devices. */
const MAX_WORKERS = 8;

/** No barriers: volumes do not survive a crash. No table initialization: a sparse file is already zero. */
const MOUNT_OPTIONS = 'loop,nosuid,nodev,noatime,noinit_itable,nobarrier';

/** Reads one request per line and answers each with a line: `ok`, or `failed:` and the reason. */
const WORKER_SCRIPT = `
mount_copy() { # template, image, directory
  "$CP" --sparse=always "$1" "$2" && "$MOUNT" -t ext4 -o ${MOUNT_OPTIONS} "$2" "$3"
}
CP=$1 MOUNT=$2 UMOUNT=$3
cd "$4" || exit
echo ready
while read -r verb volume template; do
  case $verb in
    mount) reason=$(mount_copy "$template.img" "$volume.img" "$volume" 2>&1) ;;
    unmount) reason=$("$UMOUNT" -l "$volume" 2>&1) ;;
  esac && echo ok || echo failed: $reason
done`;

/** Starts the workers, and prepares volumes of the usual size in the background. The caller closes the result. */
export function startLoopVolumes(options: LoopVolumesOptions): Volumes {
  const { tools, clock, log, directory, usualBytes } = options;
  const pool = startMountPool(tools, directory);
  /** Template names by size in bytes. */
  const templates = new Map<number, Promise<string>>();
  const ready = new Map<number, Promise<Volume>[]>();
  /** Sizes to keep ready, the most recently used last. */
  const sizes = new Set<number>();
  const removals = new Set<Promise<void>>();
  let count = 0;
  let isClosed = false;
  let hasWarned = false;

  const templateOf = (sizeBytes: number): Promise<string> => {
    const known = templates.get(sizeBytes);
    if (known !== undefined) return known;
    const template = makeTemplate(tools, directory, sizeBytes);
    templates.set(sizeBytes, template);
    // The disk may have space again when the next volume of this size is needed.
    template.catch(() => templates.delete(sizeBytes));
    return template;
  };
  const make = async (sizeBytes: number): Promise<Volume> => {
    try {
      const volume = await mountCopy(pool, directory, await templateOf(sizeBytes), `${count++}`);
      return { directory: join(directory, volume), limitBytes: sizeBytes, remove: () => remove(volume) };
    } catch (failure) {
      const exhausted = exhaustedResource(failure, directory);
      if (exhausted !== undefined) throw exhausted;
      if (!hasWarned && !isClosed)
        log.warn({ err: failure }, 'cannot mount a volume; using directories without a size limit instead');
      hasWarned = true;
      return options.fallback.take(sizeBytes);
    }
  };
  const remove = (volume: string): Promise<void> => {
    const removal = unmount(pool, directory, volume)
      .catch((failure: unknown) => {
        if (!isClosed) log.warn({ err: failure }, 'cannot remove a volume');
      })
      .finally(() => removals.delete(removal));
    removals.add(removal);
    return removal;
  };
  const refill = (sizeBytes: number): void => {
    if (isClosed || !sizes.has(sizeBytes)) return;
    const waiting = ready.get(sizeBytes) ?? [];
    ready.set(sizeBytes, waiting);
    if (waiting.length >= (sizeBytes === usualBytes ? READY.usual : READY.other)) return;
    const volume = make(sizeBytes);
    waiting.push(volume);
    // One after another: this is not urgent.
    volume.then(
      () => refill(sizeBytes),
      (failure: unknown) => {
        waiting.splice(0, waiting.length, ...waiting.filter((other) => other !== volume));
        if (!isClosed) log.warn({ err: failure }, 'cannot prepare a volume; cold starts will be slower');
      },
    );
  };
  const refills = new Map<number, Cancel>();
  const refillLater = (sizeBytes: number): void => {
    refills.get(sizeBytes)?.();
    refills.set(
      sizeBytes,
      clock.after(REFILL_DELAY_MS, () => refill(sizeBytes)),
    );
  };
  const remember = (sizeBytes: number): void => {
    sizes.delete(sizeBytes);
    sizes.add(sizeBytes);
    const others = [...sizes].filter((size) => size !== usualBytes);
    for (const forgotten of others.slice(0, Math.max(0, others.length - OTHER_SIZES))) {
      sizes.delete(forgotten);
      for (const volume of ready.get(forgotten)?.splice(0) ?? [])
        volume.then(
          ({ remove }) => remove(),
          () => {},
        );
    }
  };
  void pool.started.then(() => {
    if (usualBytes === undefined) return;
    sizes.add(usualBytes);
    refill(usualBytes);
  });

  return {
    ready: pool.started,
    enterCommand: [tools.nsenter, `--mount=/proc/${pool.pid}/ns/mnt`, '--'],
    take(sizeBytes) {
      remember(sizeBytes);
      const volume = ready.get(sizeBytes)?.shift() ?? make(sizeBytes);
      volume.then(
        () => refillLater(sizeBytes),
        () => {}, // The caller gets the failure. The next `take` tries again.
      );
      return volume;
    },
    async close() {
      isClosed = true;
      for (const cancel of refills.values()) cancel();
      // The mounts, devices and files disappear with the mount namespace. Hundreds of single unmounts take seconds.
      await pool.end();
      await Promise.allSettled([...[...ready.values()].flat(), ...removals]);
    },
  };
}

/** Mounts and removes a small volume. Returns the reason of a failure, undefined on success. */
export async function tryLoopVolume(tools: SandboxTools & VolumeTools, directory: string): Promise<string | undefined> {
  const pool = startMountPool(tools, directory);
  try {
    await pool.started;
    const volume = await mountCopy(pool, directory, await makeTemplate(tools, directory, 8 * 1024 * 1024), 'trial');
    await unmount(pool, directory, volume);
    return undefined;
  } catch (failure) {
    return (failure as Error).message;
  } finally {
    await pool.end();
  }
}

interface MountPool {
  readonly pid: number;
  readonly started: Promise<void>;
  /** Sends a request to a worker. Rejects if the request fails. */
  request(request: string): Promise<void>;
  /** Kills the workers, including those that are busy. */
  end(): Promise<void>;
}

/** A shell that handles one request at a time. */
interface Worker extends Pick<MountPool, 'started' | 'request' | 'end'> {
  readonly child: Child;
}

/** The first worker holds the mount namespace and stays. More workers run while requests are queued. */
function startMountPool(tools: SandboxTools & VolumeTools, directory: string): MountPool {
  // Later mounts of the host are visible inside. Mounts inside are not visible on the host.
  const first = startWorker(tools, directory, [tools.unshare, '--mount', '--propagation', 'slave', '--']);
  const idle = [first];
  const all = new Set(idle);
  const queue: ((worker: Worker) => void)[] = [];
  const startHelper = (): void => {
    let worker: Worker;
    try {
      worker = startWorker(tools, directory, [tools.nsenter, `--mount=/proc/${first.child.pid}/ns/mnt`, '--']);
    } catch {
      return; // The host refuses another process. The running workers handle the queue.
    }
    all.add(worker);
    void worker.started.then(() => giveBack(worker));
  };
  const giveBack = (worker: Worker): void => {
    // A worker that died has failed its request. The first worker continues with the queue.
    if (worker !== first && worker.child.exit() !== undefined) {
      all.delete(worker);
      return;
    }
    const next = queue.shift();
    if (next) next(worker);
    else if (worker === first) idle.push(worker);
    else {
      all.delete(worker);
      void worker.end();
    }
  };
  const take = (): Promise<Worker> => {
    const worker = idle.pop();
    if (worker) return Promise.resolve(worker);
    if (all.size < MAX_WORKERS && first.child.exit() === undefined) startHelper();
    return new Promise((resolve) => queue.push(resolve));
  };
  return {
    pid: first.child.pid,
    started: first.started,
    async request(request) {
      const worker = await take();
      try {
        await worker.request(request);
      } finally {
        giveBack(worker);
      }
    },
    async end() {
      await Promise.all([...all].map((worker) => worker.end()));
    },
  };
}

function startWorker(tools: SandboxTools & VolumeTools, directory: string, enterCommand: readonly string[]): Worker {
  const shell = [tools.sh, '-c', WORKER_SCRIPT, tools.sh, tools.cp, tools.mount, tools.umount, directory];
  const child: Child = startChild(
    tools.setpriv,
    ['--pdeathsig', 'KILL', ...enterCommand, ...shell],
    ['pipe', 'pipe', 'ignore'],
  );
  const [requests, replies] = child.pipes;
  assert(requests && replies, 'a worker has pipes');
  let handleReply: (line: string) => void = () => {};
  const started = new Promise<void>((resolve) => {
    handleReply = () => resolve();
  });
  let text = '';
  replies.on('data', (chunk: Buffer) => {
    const lines = (text + chunk.toString()).split('\n');
    text = lines.pop() ?? '';
    for (const line of lines) handleReply(line);
  });
  const gone = 'failed: the worker has exited';
  void child.exited.then(() => handleReply(gone));
  return {
    child,
    started,
    request(request) {
      return new Promise((resolve, reject) => {
        handleReply = (line) => (line === 'ok' ? resolve() : reject(new Error(line.replace('failed: ', ''))));
        if (child.exit() !== undefined) return handleReply(gone);
        requests.write(`${request}\n`);
      });
    },
    async end() {
      child.signal('SIGKILL');
      await child.exited;
    },
  };
}

/** Mounts a copy of a template. Returns the name of the volume. */
async function mountCopy(pool: MountPool, directory: string, template: string, volume: string): Promise<string> {
  mkdirSync(join(directory, volume));
  try {
    await pool.request(`mount ${volume} ${template}`);
    return volume;
  } catch (failure) {
    rmSync(join(directory, volume), { recursive: true, force: true });
    throw failure;
  } finally {
    rmSync(join(directory, `${volume}.img`), { force: true });
  }
}

async function unmount(pool: MountPool, directory: string, volume: string): Promise<void> {
  await pool.request(`unmount ${volume}`);
  rmdirSync(join(directory, volume));
}

/** Creates a file system that holds exactly `sizeBytes`. Returns its name. */
async function makeTemplate(tools: VolumeTools, directory: string, sizeBytes: number): Promise<string> {
  const name = `template-${sizeBytes}`;
  const image = join(directory, `${name}.img`);
  const bytes = Math.ceil((sizeBytes * (1 + OVERHEAD.share) + OVERHEAD.bytes) / BLOCK) * BLOCK;
  const fd = openSync(image, 'w', 0o600);
  try {
    ftruncateSync(fd, bytes);
  } finally {
    closeSync(fd);
  }
  const format = ['-q', '-F', '-b', `${BLOCK}`, '-m', '0', '-i', '16384'];
  const features = ['-O', '^has_journal,^resize_inode,metadata_csum,extent', '-E', 'lazy_itable_init=1,nodiscard'];
  await runOrThrow(tools.mkfs, [...format, ...features, image]);
  // Like /tmp: empty and world-writable.
  for (const change of ['rmdir lost+found', 'set_inode_field <2> mode 041777']) {
    await runOrThrow(tools.debugfs, ['-w', '-R', change, image]);
  }
  const free = Number(/^Free blocks:\s*(\d+)/m.exec(await runOrThrow(tools.dumpe2fs, ['-h', image]))?.[1]);
  const reserved = free - keptByKernel(bytes / BLOCK) - Math.ceil(sizeBytes / BLOCK) - SLACK_BLOCKS;
  assert(reserved >= 0, 'a file system has at least the requested space');
  await runOrThrow(tools.tune2fs, ['-r', `${reserved}`, image]);
  return name;
}

/** ext4 reserves 2 % of the blocks, at most 4096, that not even root can use. */
function keptByKernel(blocks: number): number {
  return Math.min(Math.floor(blocks / 50), 4096);
}

async function runOrThrow(tool: string, args: readonly string[]): Promise<string> {
  const { code, stdout, stderr } = await runTool(tool, args);
  if (code !== 0) throw new Error(`${tool} failed: ${stderr.trim()}`);
  return stdout;
}
