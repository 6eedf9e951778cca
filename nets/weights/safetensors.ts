// Finds the tensors of a model folder's safetensors files by their headers; the values stay on disk.
import { open, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';

export type StoredType = 'F32' | 'F16' | 'BF16' | 'I64' | 'I32' | 'U8' | 'I8' | 'BOOL' | 'F64';

/** A tensor's place: `bytes` from `offset` of `file`, which is relative to the folder. */
export interface StoredTensor {
  readonly name: string;
  readonly type: string;
  readonly shape: readonly number[];
  readonly file: string;
  readonly offset: number;
  readonly bytes: number;
}

/** All tensors of `model.safetensors`, or of the files that `model.safetensors.index.json` names; null if the folder has
 *  neither. Throws on a broken header. */
export async function findTensors(folder: string): Promise<Map<string, StoredTensor> | null> {
  const files = await safetensorsFiles(folder);
  if (files === null) return null;
  const found = new Map<string, StoredTensor>();
  for (const file of files) for (const tensor of await readTensors(folder, file)) found.set(tensor.name, tensor);
  return found;
}

async function safetensorsFiles(folder: string): Promise<string[] | null> {
  const single = 'model.safetensors';
  if (await exists(join(folder, single))) return [single];
  const index = join(folder, 'model.safetensors.index.json');
  if (!(await exists(index))) return null;
  const { weight_map: map } = JSON.parse(await readFile(index, 'utf8')) as { weight_map: Record<string, string> };
  return [...new Set(Object.values(map))].toSorted();
}

/** The tensors of one file. The format: u64 length of the header, the header as JSON, then the values; offsets count from the end of the header. */
export async function readTensors(folder: string, file: string): Promise<StoredTensor[]> {
  const handle = await open(join(folder, file), 'r');
  try {
    const { size } = await handle.stat();
    const prefix = Buffer.alloc(8);
    await handle.read(prefix, 0, 8, 0);
    const length = Number(prefix.readBigUInt64LE());
    if (size < 8 || length > size - 8)
      throw new Error(`${file} is no safetensors file: its header is longer than the file`);
    const header = Buffer.alloc(length);
    await handle.read(header, 0, length, 8);
    const entries = Object.entries(JSON.parse(header.toString('utf8')) as Record<string, HeaderEntry>);
    return entries
      .filter(([name]) => name !== '__metadata__')
      .map(
        ([
          name,
          {
            dtype,
            shape,
            data_offsets: [start, end],
          },
        ]) => {
          if (8 + length + end > size)
            throw new Error(`${file} is cut off: ${name} ends at byte ${8 + length + end} of ${size}`);
          return { name, type: dtype, shape, file, offset: 8 + length + start, bytes: end - start };
        },
      );
  } finally {
    await handle.close();
  }
}

interface HeaderEntry {
  dtype: string;
  shape: number[];
  data_offsets: [start: number, end: number];
}

const exists = (path: string): Promise<boolean> =>
  stat(path).then(
    () => true,
    () => false,
  );
