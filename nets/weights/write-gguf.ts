// Writes a GGUF file (version 3) of f32 tensors.
import type { NamedTensor } from './write-safetensors.ts';

const ALIGNMENT = 32;
const [FLOAT32, STRING] = [6, 8];

/** Metadata values are texts, or numbers as f32. */
export function ggufOf(
  tensors: readonly NamedTensor[],
  metadata: Readonly<Record<string, string | number>>,
): Uint8Array[] {
  const head: Uint8Array[] = [Buffer.from('GGUF'), u32(3), u64(tensors.length), u64(Object.keys(metadata).length)];
  for (const [key, value] of Object.entries(metadata)) {
    head.push(text(key));
    if (typeof value === 'string') head.push(u32(STRING), text(value));
    else head.push(u32(FLOAT32), f32(value));
  }
  let offset = 0;
  for (const { name, shape, data } of tensors) {
    // Innermost first; 0 is f32.
    head.push(text(name), u32(shape.length), ...shape.toReversed().map(u64), u32(0), u64(offset));
    offset += aligned(data.byteLength);
  }
  const written = head.reduce((sum, { length }) => sum + length, 0);
  return [
    ...head,
    Buffer.alloc(aligned(written) - written),
    ...tensors.flatMap(({ data }) => [
      new Uint8Array(data.buffer, data.byteOffset, data.byteLength),
      Buffer.alloc(aligned(data.byteLength) - data.byteLength),
    ]),
  ];
}

const aligned = (bytes: number): number => Math.ceil(bytes / ALIGNMENT) * ALIGNMENT;

function u32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
}

function u64(value: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(BigInt(value));
  return bytes;
}

function f32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeFloatLE(value);
  return bytes;
}

const text = (value: string): Buffer => {
  const bytes = Buffer.from(value);
  return Buffer.concat([u64(bytes.length), bytes]);
};
