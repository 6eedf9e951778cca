// Writes a stream of bytes to a new file and waits until the disk has them.
import { open } from 'node:fs/promises';

/** The number of bytes. A file that broke off stays for the caller to remove. */
export async function writeFile(path: string, bytes: AsyncIterable<Uint8Array>, signal?: AbortSignal): Promise<number> {
  signal?.throwIfAborted();
  const file = await open(path, 'wx');
  try {
    await file.writeFile(signal ? untilAborted(bytes, signal) : bytes);
    await file.sync();
    return (await file.stat()).size;
  } finally {
    await file.close();
  }
}

/** The same bytes; throws the signal's reason when it aborts, also while the next piece is waited for. */
export async function* untilAborted(bytes: AsyncIterable<Uint8Array>, signal: AbortSignal): AsyncGenerator<Uint8Array> {
  const iterator = bytes[Symbol.asyncIterator]();
  let giveUp: ((reason: unknown) => void) | undefined;
  const abort = () => giveUp?.(signal.reason);
  signal.addEventListener('abort', abort);
  try {
    for (;;) {
      signal.throwIfAborted();
      // No Promise.race: a promise that outlives the pieces would hold all of them.
      const next = await new Promise<IteratorResult<Uint8Array>>((resolve, reject) => {
        giveUp = reject;
        iterator.next().then(resolve, reject);
      });
      if (next.done) return;
      yield next.value;
    }
  } finally {
    signal.removeEventListener('abort', abort);
    // Not waited for: a source that doesn't give its next piece may not hear this either.
    void iterator.return?.().catch(() => {});
  }
}
