// Local copies of remote objects, for programs that read files: bounded, shared by those who use one at the same time, and
// never taken from under somebody who holds one.
import { rm } from 'node:fs/promises';

export interface RemoteObject {
  /** Names the bytes: another one when the object is replaced. */
  version: string;
  bytes: number;
  /** Writes exactly these bytes to a new file, or throws. */
  download(path: string, signal: AbortSignal): Promise<void>;
}

export interface Staging {
  hold(
    object: RemoteObject,
    options: { newPath: () => string; signal?: AbortSignal | undefined },
  ): Promise<{ path: string; release(): void }>;
}

interface Copy {
  path: string;
  bytes: number;
  holders: number;
  ready: Promise<void>;
  stop: AbortController;
}

/** Copies that nobody holds go, the one used longest ago first, when all together have more than `maxBytes`. */
export function createStaging(maxBytes: number): Staging {
  // A Map keeps its order: the copy used longest ago comes first.
  const copies = new Map<string, Copy>();

  function evict(coming: number): void {
    let total = coming;
    for (const { bytes } of copies.values()) total += bytes;
    for (const [version, copy] of copies) {
      if (total <= maxBytes) return;
      if (copy.holders > 0) continue;
      total -= copy.bytes;
      copies.delete(version);
      void rm(copy.path, { force: true });
    }
  }

  function begin(object: RemoteObject, path: string): Copy {
    evict(object.bytes);
    const stop = new AbortController();
    const copy: Copy = { path, bytes: object.bytes, holders: 0, stop, ready: object.download(path, stop.signal) };
    copies.set(object.version, copy);
    copy.ready.catch(() => {
      if (copies.get(object.version) === copy) copies.delete(object.version);
      void rm(path, { force: true });
    });
    return copy;
  }

  function letGo(version: string, copy: Copy, ready: boolean): void {
    copy.holders--;
    if (copy.holders > 0 || copies.get(version) !== copy) return;
    copies.delete(version);
    // Nobody waits any more for what is on its way.
    if (!ready) return copy.stop.abort();
    copies.set(version, copy);
    evict(0);
  }

  return {
    async hold(object, { newPath, signal }) {
      const { version } = object;
      const copy = copies.get(version) ?? begin(object, newPath());
      copy.holders++;
      try {
        await orAborted(copy.ready, signal);
      } catch (error) {
        letGo(version, copy, false);
        throw error;
      }
      let held = true;
      return {
        path: copy.path,
        release() {
          if (held) letGo(version, copy, true);
          held = false;
        },
      };
    },
  };
}

function orAborted(ready: Promise<void>, signal: AbortSignal | undefined): Promise<void> {
  if (!signal) return ready;
  return new Promise((resolve, reject) => {
    const abort = () => reject(signal.reason as Error);
    if (signal.aborted) return abort();
    signal.addEventListener('abort', abort);
    ready.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort));
  });
}
