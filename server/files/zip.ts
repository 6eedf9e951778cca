// A zip that is written while it is read: nothing of it is held but what is on its way.
import { PassThrough, type Readable, pipeline } from 'node:stream';
import { type ReadStreamOptions, ZipFile } from 'yazl';

export interface Zip {
  /** `open` is called when the file's turn comes; what it opens is closed also when the reader of the zip leaves. */
  add(name: string, open: () => Readable | Promise<Readable>, options?: Partial<ReadStreamOptions>): void;
  /** No more files come. Resolves to the zip's length, when all files came with their sizes and uncompressed. */
  end(): Promise<number>;
  stream: Readable;
}

export function createZip(): Zip {
  const zip = new ZipFile();
  const stream = new PassThrough();
  let source: Readable | undefined;
  // What goes wrong on the way ends the stream; whoever reads it learns so.
  const fail = (error: unknown): void => void stream.destroy(error instanceof Error ? error : new Error(String(error)));
  zip.on('error', fail);
  // The library pipes, and a pipe leaves its source open when its target is destroyed.
  stream.on('close', () => source?.destroy());
  pipeline(zip.outputStream, stream, () => {});

  async function opened(open: () => Readable | Promise<Readable>): Promise<Readable | null> {
    if (stream.destroyed) return null;
    const file = await open();
    file.on('error', fail);
    if (stream.destroyed) file.destroy();
    else source = file;
    return stream.destroyed ? null : file;
  }

  return {
    stream,
    add(name, open, options = {}) {
      zip.addReadStreamLazy(name, options, take => {
        opened(open).then(file => file && take(null, file), fail);
      });
    },
    end() {
      return new Promise(resolve => {
        // Its types leave out that the size is given.
        const take = (size: number) => resolve(size);
        zip.end({ forceZip64Format: false, comment: '' }, take as () => void);
      });
    },
  };
}
