// One caller on one connection that writes bytes and reads bytes: what a latency is measured with, so that it holds as little as
// possible of the client's own work.
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import type { Door } from './load.ts';

export class SocketCaller {
  readonly #socket: Socket;
  readonly #head: string;

  private constructor(socket: Socket, door: Door) {
    this.#socket = socket;
    const { host, pathname } = new URL(door.url);
    const headers = { host, 'content-type': 'application/json', ...door.headers };
    this.#head = `POST ${pathname} HTTP/1.1\r\n${Object.entries(headers)
      .map(([name, value]) => `${name}: ${value}\r\n`)
      .join('')}`;
  }

  static async open(door: Door): Promise<SocketCaller> {
    const { hostname, port } = new URL(door.url);
    const socket = connect({ host: hostname, port: Number(port), noDelay: true });
    await once(socket, 'connect');
    return new SocketCaller(socket, door);
  }

  /** Milliseconds from the first byte written to the last byte read. Throws at an answer other than 200. */
  async call(body: string): Promise<number> {
    const request = `${this.#head}content-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`;
    const sent = performance.now();
    this.#socket.write(request);
    let answer: Buffer = Buffer.alloc(0);
    for (let missing = Infinity; missing > 0;) {
      const [part] = (await once(this.#socket, 'data')) as [Buffer];
      answer = answer.length === 0 ? part : Buffer.concat([answer, part]);
      missing = wholeLength(answer) - answer.length;
    }
    const milliseconds = performance.now() - sent;
    if (!answer.toString('latin1', 0, 12).endsWith(' 200'))
      throw new Error(`the answer was ${answer.toString('utf8', 0, 500)}`);
    return milliseconds;
  }

  close(): void {
    this.#socket.destroy();
  }
}

/** Bytes of head and body, as far as they can be told. */
function wholeLength(answer: Buffer): number {
  const end = answer.indexOf('\r\n\r\n');
  if (end < 0) return Infinity;
  const length = /\r\ncontent-length: *(\d+)/i.exec(answer.toString('latin1', 0, end))?.[1];
  if (length === undefined) throw new Error('the answer has no content-length');
  return end + 4 + Number(length);
}
