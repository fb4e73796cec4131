/**
 * A debugger for Node.js: a client of its inspector. Node.js 20 has no WebSocket without a flag, so this speaks as much of
 * it as the inspector needs: one text frame for each message.
 * https://chromedevtools.github.io/devtools-protocol/v8/Debugger/
 */
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { request } from 'node:http';
import type { Socket } from 'node:net';

// biome-ignore lint/suspicious/noExplicitAny: messages of the protocol, of which tests read single members
type Message = any;

export class InspectorClient {
  readonly #socket: Socket;
  #received: Buffer;
  #id = 0;
  readonly #messages: Message[] = [];
  #onMessage: () => void = () => undefined;

  private constructor(socket: Socket, head: Buffer) {
    this.#socket = socket;
    this.#received = head;
    socket.on('error', () => undefined);
    socket.on('data', (chunk) => {
      this.#received = Buffer.concat([this.#received, chunk]);
      this.#read();
    });
    this.#read();
  }

  /** Attaches to the program that waits at the port. */
  static async attach(port: number): Promise<InspectorClient> {
    const [target] = (await (await fetch(`http://127.0.0.1:${port}/json/list`)).json()) as { id: string }[];
    const upgrade = request({
      ...{ host: '127.0.0.1', port, path: `/${target?.id}` },
      headers: {
        Connection: 'Upgrade',
        Upgrade: 'websocket',
        'Sec-WebSocket-Version': '13',
        'Sec-WebSocket-Key': randomBytes(16).toString('base64'),
      },
    });
    upgrade.end();
    const [, socket, head] = await once(upgrade, 'upgrade');
    return new InspectorClient(socket, head);
  }

  /** Calls a method and resolves with its result. */
  async call(method: string, params: object = {}): Promise<Message> {
    this.#id += 1;
    const id = this.#id;
    this.#send(JSON.stringify({ id, method, params }));
    const { result, error } = await this.#find((message) => message.id === id);
    if (error) throw new Error(`${method}: ${error.message}`);
    return result;
  }

  /** The next event of this name. */
  async event(method: string): Promise<Message> {
    return (await this.#find((message) => message.method === method)).params;
  }

  close(): void {
    this.#socket.destroy();
  }

  async #find(matches: (message: Message) => boolean): Promise<Message> {
    for (;;) {
      const at = this.#messages.findIndex(matches);
      if (at !== -1) return this.#messages.splice(at, 1)[0];
      await new Promise<void>((resolve) => {
        this.#onMessage = resolve;
      });
    }
  }

  #send(text: string): void {
    const payload = Buffer.from(text);
    // Clients mask their frames. With a mask of zeros the bytes stay as they are.
    const head = payload.length < 126 ? [payload.length] : [126, payload.length >> 8, payload.length & 255];
    this.#socket.write(
      Buffer.concat([Buffer.from([0x81, (head[0] ?? 0) | 0x80, ...head.slice(1), 0, 0, 0, 0]), payload]),
    );
  }

  #read(): void {
    for (;;) {
      const buffer = this.#received;
      if (buffer.length < 2) return;
      const short = (buffer[1] ?? 0) & 127;
      const start = short < 126 ? 2 : short === 126 ? 4 : 10;
      if (buffer.length < start) return;
      const length = short < 126 ? short : short === 126 ? buffer.readUInt16BE(2) : Number(buffer.readBigUInt64BE(2));
      if (buffer.length < start + length) return;
      this.#messages.push(JSON.parse(buffer.subarray(start, start + length).toString()));
      this.#received = buffer.subarray(start + length);
      this.#onMessage();
    }
  }
}
