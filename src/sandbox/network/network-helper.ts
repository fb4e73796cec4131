/**
 * A Node process inside a network namespace that opens sockets there and passes them to the service over its IPC
 * channel. A socket always belongs to the namespace in which it was opened, and Node cannot enter a namespace itself.
 * The helper never reads from or writes to the sockets.
 */
import type { Server, Socket } from 'node:net';
import type { SandboxHost } from '../host/sandbox-host.ts';
import { withDescriptorsClosed } from '../process/inherited-descriptors.ts';
import type { IpcChild } from '../process/spawn.ts';
import { readAll, startIpcChild } from '../process/spawn.ts';

/** The socket to open on 127.0.0.1: one that listens on a port, or one that connects to it. */
export type SocketRequest = { readonly listen: number } | { readonly connect: number };

type Reply = { readonly call: number; readonly pid: number; readonly error?: string };

type Waiting = {
  readonly resolve: (opened: { pid: number; socket: Server | Socket }) => void;
  readonly reject: (failure: Error) => void;
};

/** `pause` leaves the data of the other side in the socket, for the service to read. */
const SCRIPT = `
const { createServer, Socket } = require('node:net');
process.once('disconnect', () => process.exit());
process.on('message', ({ call, listen, connect }) => {
  const reply = (socket, error) => process.send({ call, pid: process.pid, error }, socket);
  const fail = (failure) => reply(undefined, failure.message);
  try {
    if (listen === undefined) {
      const socket = new Socket().pause().once('error', fail);
      socket.connect(connect, '127.0.0.1', () => reply(socket));
    } else {
      const server = createServer().once('error', fail);
      server.listen({ host: '127.0.0.1', port: listen, backlog: 511 }, () => reply(server));
    }
  } catch (failure) {
    fail(failure);
  }
});`;

/** A helper in one network namespace. The caller closes it. */
export class NetworkHelper {
  readonly #child: IpcChild;
  readonly #waiting = new Map<number, Waiting>();
  #calls = 0;

  /** Starts the helper. `enterCommand` is a command prefix, which enters the namespace. */
  constructor({ tools, inheritedDescriptors }: SandboxHost, enterCommand: readonly [string, ...string[]]) {
    const [program, ...rest] = [...enterCommand, process.execPath, '-e', SCRIPT];
    const { file, args } = withDescriptorsClosed(inheritedDescriptors, tools.bash, { file: program ?? '', args: rest });
    this.#child = startIpcChild(file, args, (message, socket) => this.#receive(message as Reply, socket));
    const stderr = readAll(this.#child.stderr);
    void this.#child.exited.then(async () => {
      const reason = (await stderr).trim() || 'the network helper exited without an error message';
      for (const { reject } of this.#waiting.values()) reject(new Error(reason));
      this.#waiting.clear();
    });
  }

  get isAlive(): boolean {
    return this.#child.exit() === undefined;
  }

  /** Opens a socket; also returns the host pid of the helper. Rejects with the kernel's error. */
  open(request: SocketRequest): Promise<{ pid: number; socket: Server | Socket }> {
    if (!this.isAlive) return Promise.reject(new Error('the network helper has exited'));
    const call = this.#calls++;
    return new Promise((resolve, reject) => {
      this.#waiting.set(call, { resolve, reject });
      this.#child.send({ call, ...request });
    });
  }

  /** Ends the helper; resolves when it has exited. The sockets stay open. */
  async close(): Promise<void> {
    this.#child.disconnect();
    await this.#child.exited;
  }

  #receive({ call, pid, error }: Reply, socket: Server | Socket | undefined): void {
    const waiting = this.#waiting.get(call);
    this.#waiting.delete(call);
    if (socket !== undefined) waiting?.resolve({ pid, socket });
    else waiting?.reject(new Error(error ?? 'the network helper sent no socket: Too many open files'));
  }
}
