/**
 * A helper inside a network namespace: Node, which opens sockets there and hands them to the service over its message
 * channel, where they are used as if they had been opened here. A socket belongs for ever to the namespace it was
 * opened in, and Node cannot enter one itself. The helper reads and writes nothing of what goes over the sockets.
 */
import type { Server, Socket } from 'node:net';
import type { SandboxHost } from '../host/sandbox-host.ts';
import { withDescriptorsClosed } from '../process/inherited-descriptors.ts';
import type { IpcChild } from '../process/spawn.ts';
import { readAll, startIpcChild } from '../process/spawn.ts';

/** What to open on 127.0.0.1: a socket that listens at a port, or one that is connected to it. */
export type SocketRequest = { readonly listen: number } | { readonly connect: number };

type Reply = { readonly call: number; readonly pid: number; readonly error?: string };

type Waiting = {
  readonly resolve: (opened: { pid: number; socket: Server | Socket }) => void;
  readonly reject: (failure: Error) => void;
};

/** Not read before it is handed over: `pause` keeps what the other side says for the service. */
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

export class NetworkHelper {
  readonly #child: IpcChild;
  readonly #waiting = new Map<number, Waiting>();
  #calls = 0;

  /** Starts it by way of `enterCommand`, a command that becomes another, inside. */
  constructor({ tools, inheritedDescriptors }: SandboxHost, enterCommand: readonly [string, ...string[]]) {
    const [program, ...rest] = [...enterCommand, process.execPath, '-e', SCRIPT];
    const { file, args } = withDescriptorsClosed(inheritedDescriptors, tools.bash, { file: program ?? '', args: rest });
    this.#child = startIpcChild(file, args, (message, socket) => this.#receive(message as Reply, socket));
    const stderr = readAll(this.#child.stderr);
    void this.#child.exited.then(async () => {
      const reason = (await stderr).trim() || 'the helper in the network ended without a word';
      for (const { reject } of this.#waiting.values()) reject(new Error(reason));
      this.#waiting.clear();
    });
  }

  get isAlive(): boolean {
    return this.#child.exit() === undefined;
  }

  /** Opens a socket, and tells the host's number for the helper. Rejects with what the kernel said. */
  open(request: SocketRequest): Promise<{ pid: number; socket: Server | Socket }> {
    if (!this.isAlive) return Promise.reject(new Error('the helper has ended'));
    const call = this.#calls++;
    return new Promise((resolve, reject) => {
      this.#waiting.set(call, { resolve, reject });
      this.#child.send({ call, ...request });
    });
  }

  /** Lets it go; resolves when it is gone. What it has opened stays open. */
  async close(): Promise<void> {
    this.#child.disconnect();
    await this.#child.exited;
  }

  #receive({ call, pid, error }: Reply, socket: Server | Socket | undefined): void {
    const waiting = this.#waiting.get(call);
    this.#waiting.delete(call);
    if (socket !== undefined) waiting?.resolve({ pid, socket });
    else waiting?.reject(new Error(error));
  }
}
