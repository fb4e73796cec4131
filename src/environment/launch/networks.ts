/**
 * Opens an environment in one of the two kinds of network. Shared: the Runtime API first listens on a loopback address
 * that belongs to this environment, and the sandbox is then created with that address. Isolated: the sandbox is created
 * first, with a network in which the Runtime API listens on 127.0.0.1:9001 and other environments cannot be reached.
 */
import assert from 'node:assert/strict';
import type { Server } from 'node:net';
import type { Connection, FindOwner } from '../../http/connection-owner.ts';
import type { Listener } from '../../http/listener.ts';
import { RUNTIME_API_PORT } from '../../protocol/endpoints.ts';
import type { Reach } from '../../runtime-api/telemetry/telemetry-reach.ts';
import type { Sandbox } from '../../sandbox/sandbox.ts';
import { loopbackAddress, type Slots } from './slots.ts';

const ISOLATED_HOST = '127.0.0.1';

/** Where a Runtime API listens, which connections it trusts, and how it reaches subscribers. */
export type ListenAddress = {
  readonly host: string;
  readonly port: number;
  readonly server?: Server;
  readonly reach?: Reach;
  readonly isTrusted?: (connection: Connection) => Promise<boolean>;
};

/** How the parts of an environment are opened in either network. */
export type NetworkDependencies<Context> = {
  readonly slots: Slots;
  readonly findOwner: FindOwner;
  readonly listen: (address: ListenAddress) => Promise<Listener>;
  readonly contextAt: (slot: number, host: string, port: number) => Context;
  readonly openSandbox: (context: Context) => Promise<Sandbox>;
};

/** The caller closes the listener, then the sandbox, and then releases the slot. */
export type Opened<Context> = {
  readonly context: Context;
  readonly slot: number;
  readonly listener: Listener;
  readonly sandbox: Sandbox;
};

/** Opens an environment in the network of this machine. */
export async function openShared<Context>(dependencies: NetworkDependencies<Context>): Promise<Opened<Context>> {
  const { slots, listen, contextAt, openSandbox } = dependencies;
  // Until the sandbox is open, no connection can come from it.
  let opened: Sandbox | undefined;
  const { slot, bound: listener } = await slots.take((candidate, port) =>
    listen({
      host: loopbackAddress(candidate),
      port: port === 'usual' ? RUNTIME_API_PORT : 0,
      isTrusted: (connection) => isOwnConnection(dependencies, opened, connection),
    }),
  );
  try {
    const context = contextAt(slot, listener.host, listener.port);
    const sandbox = await openSandbox(context);
    opened = sandbox;
    return { context, slot, listener, sandbox };
  } catch (failure) {
    await listener.close();
    slots.release(slot);
    throw failure;
  }
}

/** Opens an environment with an isolated network. All connections there come from the environment. */
export async function openIsolated<Context>(dependencies: NetworkDependencies<Context>): Promise<Opened<Context>> {
  const { slots, listen, contextAt, openSandbox } = dependencies;
  const { slot } = await slots.take(async () => undefined);
  let sandbox: Sandbox | undefined;
  try {
    const context = contextAt(slot, ISOLATED_HOST, RUNTIME_API_PORT);
    sandbox = await openSandbox(context);
    const { network } = sandbox;
    assert(network !== undefined, 'an isolated sandbox has a network');
    const address = { host: ISOLATED_HOST, port: RUNTIME_API_PORT, server: network.server, reach: network.connect };
    return { context, slot, listener: await listen(address), sandbox };
  } catch (failure) {
    await sandbox?.close();
    slots.release(slot);
    throw failure;
  }
}

/**
 * Whether a connection comes from the environment itself: by the uid that owns the socket, or, where environments have
 * the same uid, by the process that holds it. Every connection is trusted while there is only one environment, and where
 * the kernel does not tell. Root is trusted by a service of root, because functions never are root.
 */
async function isOwnConnection(
  { slots, findOwner }: Pick<NetworkDependencies<unknown>, 'slots' | 'findOwner'>,
  sandbox: Sandbox | undefined,
  connection: Connection,
): Promise<boolean> {
  if (sandbox === undefined) return false;
  if (slots.taken <= 1) return true;
  const owner = await findOwner(connection);
  if (owner === 'unavailable') return true;
  if (owner === 'unlisted') return false;
  if (owner.uid === 0 && process.getuid?.() === 0) return true;
  if (sandbox.hostUid !== undefined) return owner.uid === sandbox.hostUid;
  return (await sandbox.findSocket(owner.inode)) !== 'not-held';
}
