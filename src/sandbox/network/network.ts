/**
 * A network of a sandbox's own: a network namespace with a loopback interface and nothing else. bubblewrap makes it and
 * brings the interface up; a helper (`network-helper.ts`) opens the one socket that the service listens on inside, and
 * both go. What remains are descriptors, so the namespace outlives the processes of its sandbox, and is gone with the
 * service or when the sandbox is closed.
 *
 * An ordinary user makes the namespace inside a user namespace, in which he is root: only so can the holder's
 * bubblewrap, which makes another one below it, be started in this network.
 */
import { closeSync, constants, openSync } from 'node:fs';
import { Server, Socket } from 'node:net';
import { OperatorError } from '../../operator-error.ts';
import type { SandboxHost } from '../host/sandbox-host.ts';
import type { SandboxNetwork } from '../sandbox.ts';
import { NetworkHelper } from './network-helper.ts';

export interface Network extends SandboxNetwork {
  /** The command by which a program is started in it; becomes that program. */
  readonly enterCommand: readonly [string, ...string[]];
  /** Closes what listens and what connects. The namespace goes when its last process has gone. Idempotent. */
  close(): Promise<void>;
}

/**
 * Makes a network in which `port` is listened on. Takes as long as Node takes to start. Rejects with `OperatorError`
 * 'no-isolated-network', whose cause is what the kernel or bubblewrap said.
 */
export async function openNetwork(host: SandboxHost, port: number): Promise<Network> {
  try {
    return await makeNetwork(host, port);
  } catch (failure) {
    const reason = failure instanceof Error ? failure.message : String(failure);
    throw new OperatorError('no-isolated-network', { reason, remedy: 'Run `lamella doctor`.' }, failure);
  }
}

async function makeNetwork(host: SandboxHost, port: number): Promise<Network> {
  const isUser = host.identity.kind === 'user-namespace';
  const user = isUser ? ['--unshare-user', '--uid', '0', '--gid', '0'] : [];
  const maker = new NetworkHelper(host, [
    host.tools.bwrap,
    ...user,
    ...['--unshare-net', '--dev-bind', '/', '/', '--die-with-parent', '--'],
  ]);
  const namespaces: number[] = [];
  let received: Server | Socket | undefined;
  try {
    const { pid, socket } = await maker.open({ listen: port });
    received = socket;
    if (!(socket instanceof Server)) throw new Error('what was handed over does not listen');
    const pin = (name: string): string => {
      const descriptor = openSync(`/proc/${pid}/ns/${name}`, constants.O_RDONLY);
      namespaces.push(descriptor);
      return `/proc/${process.pid}/fd/${descriptor}`;
    };
    const userOptions = isUser ? [`--user=${pin('user')}`, '--preserve-credentials'] : [];
    return wrapNetwork(host, socket, [host.tools.nsenter, ...userOptions, `--net=${pin('net')}`, '--'], namespaces);
  } catch (failure) {
    for (const descriptor of namespaces) closeSync(descriptor);
    if (received instanceof Server) received.close();
    else received?.destroy();
    throw failure;
  } finally {
    await maker.close();
  }
}

function wrapNetwork(
  host: SandboxHost,
  server: Server,
  enterCommand: Network['enterCommand'],
  namespaces: readonly number[],
): Network {
  /** Only for those who have somebody to call. */
  let caller: NetworkHelper | undefined;
  let closed: Promise<void> | undefined;
  return {
    server,
    enterCommand,
    async connect(port) {
      if (closed) throw new Error('the network is closed');
      if (!caller?.isAlive) caller = new NetworkHelper(host, enterCommand);
      const { socket } = await caller.open({ connect: port });
      if (!(socket instanceof Socket)) throw new Error('what was handed over is not connected');
      return socket.setNoDelay(true);
    },
    close() {
      closed ??= (async () => {
        server.close();
        for (const descriptor of namespaces) closeSync(descriptor);
        await caller?.close();
      })();
      return closed;
    },
  };
}
