/**
 * The private network of a sandbox: a network namespace with only a loopback interface. bubblewrap creates it and brings
 * the interface up. A helper (`network-helper.ts`) opens the socket on which the service listens inside. Then both exit.
 * The service keeps descriptors, so the namespace outlives the processes of its sandbox. It disappears when the sandbox
 * is closed or the service dies.
 *
 * Without root, the network namespace is created in a user namespace in which the user is root. Otherwise the holder's
 * bubblewrap, which creates another user namespace below it, could not be started in this network.
 */
import { closeSync, constants, openSync } from 'node:fs';
import { Server, Socket } from 'node:net';
import { exhaustedResource, OperatorError } from '../../operator-error.ts';
import type { SandboxHost } from '../host/sandbox-host.ts';
import type { SandboxNetwork } from '../sandbox.ts';
import { NetworkHelper } from './network-helper.ts';

/** A network and the means to start programs in it. */
export interface Network extends SandboxNetwork {
  /** Command prefix that starts a program in this network. */
  readonly enterCommand: readonly [string, ...string[]];
  /** Closes the sockets. The namespace disappears when its last process has exited. Idempotent. */
  close(): Promise<void>;
}

/**
 * Creates a network in which the service listens on `port`. Takes as long as Node takes to start. The caller closes it.
 * Rejects with `OperatorError` 'no-isolated-network', whose cause is the error of the kernel or of bubblewrap, or with
 * that of a resource of this machine that has run out.
 */
export async function openNetwork(host: SandboxHost, port: number): Promise<Network> {
  try {
    return await makeNetwork(host, port);
  } catch (failure) {
    const exhausted = exhaustedResource(failure, '/');
    if (exhausted !== undefined) throw exhausted;
    const reason = failure instanceof Error ? failure.message : String(failure);
    throw new OperatorError(
      'no-isolated-network',
      { reason, remedy: 'Run `lamella doctor` to see what is missing.' },
      failure,
    );
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
    if (!(socket instanceof Server)) throw new Error('the network helper sent a socket that does not listen');
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
  /** Started by the first `connect`. */
  let caller: NetworkHelper | undefined;
  let closed: Promise<void> | undefined;
  return {
    server,
    enterCommand,
    async connect(port) {
      if (closed) throw new Error('the network is closed');
      if (!caller?.isAlive) caller = new NetworkHelper(host, enterCommand);
      const { socket } = await caller.open({ connect: port });
      if (!(socket instanceof Socket)) throw new Error('the network helper sent a socket that is not connected');
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
