// A Unix socket beside an embedded database, over which other processes of the same user run statements on it: this is how
// `vectorium backup` and `vectorium keys create` work while the server runs. Frames are a length and a structured clone.
import { once } from 'node:events';
import { chmod, rm } from 'node:fs/promises';
import { connect, createServer } from 'node:net';
import type { Socket } from 'node:net';
import { deserialize, serialize } from 'node:v8';
import { createCalls, databaseOver, errorFields } from './calls.ts';
import { DatabaseError } from './port.ts';
import type { Database } from './port.ts';
import type { Call, Numbered, Reply } from './protocol.ts';

/** What the operating system takes as a socket's path, in bytes. */
const longestPath = 103;

type Log = (event: string, fields: object) => void;

export async function serveSocket(path: string, call: Call, log: Log): Promise<{ close(): Promise<void> }> {
  if (Buffer.byteLength(path) > longestPath) {
    log('database.no_socket', { message: 'The path of the data folder is too long: commands need the server stopped' });
    return { close: async () => {} };
  }
  await rm(path, { force: true });
  const open = new Set<Socket>();
  const server = createServer(socket => {
    open.add(socket);
    socket.on('close', () => open.delete(socket));
    socket.on('error', () => socket.destroy());
    onFrames(socket, message => {
      const { id, request } = message as Numbered;
      if (request.kind === 'close') return;
      call(request).then(
        rows => socket.write(frame({ id, rows })),
        (error: unknown) => socket.write(frame({ id, error: errorFields(error) })),
      );
    });
  });
  server.listen(path);
  await once(server, 'listening');
  // The data folder may be readable by others; the database is its owner's alone.
  await chmod(path, 0o600);
  server.unref();
  return {
    async close() {
      for (const socket of open) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}

/** The database of the server that listens at `path`. Throws DatabaseError when none does. */
export async function connectSocket(path: string): Promise<Database> {
  const socket = connect(path);
  try {
    await once(socket, 'connect');
  } catch {
    throw new DatabaseError('A server is running on this data folder and can not be reached; stop it first', {
      code: 'CANNOT_OPEN',
    });
  }
  const calls = createCalls(message => socket.write(frame(message)));
  calls.receive({ id: 0, rows: [] });
  onFrames(socket, reply => calls.receive(reply as Reply));
  socket.on('error', () => socket.destroy());
  socket.on('close', () => calls.fail('The connection to the running server ended'));
  return databaseOver(calls.call, {
    async close() {
      socket.destroy();
    },
  });
}

function frame(message: Numbered | Reply): Buffer {
  const body = serialize(message);
  const head = Buffer.alloc(4);
  head.writeUInt32LE(body.length);
  return Buffer.concat([head, body]);
}

function onFrames(socket: Socket, receive: (message: unknown) => void): void {
  let pending = Buffer.alloc(0);
  socket.on('data', piece => {
    pending = Buffer.concat([pending, piece]);
    while (pending.length >= 4 && pending.length >= 4 + pending.readUInt32LE()) {
      const end = 4 + pending.readUInt32LE();
      receive(deserialize(pending.subarray(4, end)));
      pending = pending.subarray(end);
    }
  });
}
