// A model's files as one download: a file as it is, or a zip of all.
import type { Readable } from 'node:stream';
import { createZip } from '../files/zip.ts';
import { ApiError } from '../http/index.ts';
import { ObjectNotFound, type Storage } from '../storage/index.ts';
import { noModel } from './errors.ts';
import type { ReadyModel } from './store.ts';

export type ModelFormat = 'zip' | 'onnx' | 'card' | 'peft' | 'gguf';

export interface ModelDownload {
  bytes: number;
  stream: Readable;
  extension: string;
  contentType: string;
}

const single: Partial<Record<ModelFormat, { file: string; contentType: string; extension: string }>> = {
  onnx: { file: 'model.onnx', contentType: 'application/octet-stream', extension: 'onnx' },
  gguf: { file: 'adapter.gguf', contentType: 'application/octet-stream', extension: 'gguf' },
  card: { file: 'card.json', contentType: 'application/json; charset=utf-8', extension: 'json' },
};

const peftFiles = ['adapter_model.safetensors', 'adapter_config.json'];

type Files = Pick<Storage, 'read' | 'size' | 'list'>;

/** Throws INVALID_PARAMETER for a format that such a model doesn't have. */
export async function downloadOf(storage: Files, model: ReadyModel, format: ModelFormat): Promise<ModelDownload> {
  const { folder } = model.ready;
  try {
    if (format === 'zip') return await zipOf(await stored(storage, folder));
    const files = new Set(model.ready.card.files.map(({ name }) => name));
    if (format === 'peft' && peftFiles.every(name => files.has(name)))
      return await zipOf(await stored(storage, folder, peftFiles));
    const found = single[format];
    if (!found || (format !== 'card' && !files.has(found.file))) {
      const formats = [
        'zip',
        'card',
        ...Object.keys(single).filter(name => files.has(single[name as ModelFormat]?.file ?? '')),
      ];
      if (model.ready.card.language) formats.push('onnx');
      if (peftFiles.every(name => files.has(name))) formats.push('peft');
      const message = `${model.id} has no ${format}: its formats are ${formats.join(', ')}`;
      throw new ApiError('INVALID_PARAMETER', { message, param: 'format' });
    }
    const { file, ...how } = found;
    const stream = await storage.read(`${folder}${file}`);
    return { ...how, stream, bytes: (await storage.size(`${folder}${file}`)) ?? 0 };
  } catch (error) {
    throw error instanceof ObjectNotFound ? noModel(model.id) : error;
  }
}

async function stored(storage: Files, folder: string, chosen?: readonly string[]): Promise<ZipEntry[]> {
  const entries: ZipEntry[] = [];
  for await (const { key, bytes } of storage.list(folder)) {
    const name = key.slice(folder.length);
    if (!chosen || chosen.includes(name)) entries.push({ name, bytes, open: () => storage.read(key) });
  }
  return entries;
}

export interface ZipEntry {
  name: string;
  bytes: number;
  open(): Promise<Readable>;
}

/** Weights don't get smaller by compression, and without it the length is known before. */
export async function zipOf(entries: readonly ZipEntry[]): Promise<ModelDownload> {
  const zip = createZip();
  for (const { name, bytes, open } of entries)
    zip.add(name, open, { compress: false, size: bytes, mtime: new Date(0) });
  return { bytes: await zip.end(), stream: zip.stream, extension: 'zip', contentType: 'application/zip' };
}
