// The real SmolLM2-135M-Instruct against what `transformers` makes of the same file (fixtures/make_smollm2.py): tokens,
// template and weights together. Runs where VECTORIUM_SMOLLM2 names the file, which takes some minutes and 600 MB.
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { InferenceSession } from 'onnxruntime-node';
import { expect, onTestFinished, test } from 'vitest';
import { chatTemplate } from '../text/chat.ts';
import { chatTemplateOfGguf, tokenizerOfGguf } from '../text/gguf.ts';
import { readGguf } from '../weights/gguf.ts';
import { compileDecoder } from './compile.ts';
import { Cache, greatest, runPrompt, runNext } from './testing.ts';

const path = process.env['VECTORIUM_SMOLLM2'];

interface Text {
  question: string;
  text: string;
  ids: number[];
  top: [id: number, logit: number][];
  continued: number[];
}

test.skipIf(!path)('SmolLM2 says what it says in transformers', { timeout: 600_000 }, async () => {
  const fixture = await readFile(join(import.meta.dirname, '../fixtures/smollm2.json'), 'utf8');
  const { texts } = JSON.parse(fixture) as { texts: Text[] };
  const folder = await mkdtemp(join(tmpdir(), 'vectorium-smollm2-'));
  onTestFinished(() => rm(folder, { recursive: true }));
  const gguf = await readGguf(path ?? '');
  const [tokenizer, write] = [tokenizerOfGguf(gguf), chatTemplate(chatTemplateOfGguf(gguf) ?? '')];
  const graphs = await compileDecoder(path ?? '', { precision: 'f32', folder });
  const { config } = graphs;
  const prompt = await InferenceSession.create(graphs.prompt);
  const next = await InferenceSession.create(graphs.next);
  for (const { question, text, ids, top, continued } of texts) {
    const written = write([{ role: 'user', content: question }]);
    expect(written).toBe(text);
    expect([...tokenizer.encode(written).ids]).toEqual(ids);
    const cache = new Cache(config, ids.length + continued.length);
    let logits = (await runPrompt(prompt, cache, { config, ids })).at(-1) ?? new Float32Array();
    for (const [id, logit] of top) expect(logits[id]).toBeCloseTo(logit, 1);
    const said: number[] = [];
    for (let step = 0; step < continued.length; step++) {
      said.push(greatest(logits));
      [logits = logits] = await runNext(next, [cache], { config, ids: said.slice(-1) });
    }
    expect(said).toEqual(continued);
  }
});
