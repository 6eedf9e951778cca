// A fine-tuned model where others run it: `node bench/llm/elsewhere.ts <model.gguf> <folder of the adapter> [prompt …]`.
//
// The folder has what `download` gives of a model that was trained over that file. The same prompts go to this engine and, as far as
// they are there, to llama.cpp with adapter.gguf (VECTORIUM_BENCH_LLAMA: a folder with node-llama-cpp), to Transformers.js with the
// ONNX folder (VECTORIUM_BENCH_TRANSFORMERS: a folder with @huggingface/transformers) and to PEFT. All take the likeliest token always;
// shown is what each says, and up to which character that is what this engine says. They round otherwise: here weights and rows in
// 8, llama.cpp in the file's own blocks, PEFT in f32.
import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { createEngine, type DecoderHandle } from '@vectorium/engine';
import { exportPortable, openLanguage } from '@vectorium/nets';
import { environment } from '../python.ts';

const TOKENS = 32;
const [path = '', adapter = '', ...given] = process.argv.slice(2);
const prompts =
  given.length > 0 ? given : ['Peru', 'Vietnam', 'Brazil', 'Norway', 'Kenya'].map(name => `Tell me about ${name}.`);
const files = { weights: join(adapter, 'adapter_model.safetensors'), config: join(adapter, 'adapter_config.json') };
const { tokenizer, chat, ends } = await openLanguage(path);
const texts = prompts.map(prompt => chat?.([{ role: 'user', content: prompt }]) ?? prompt);

const here = await engineSays();
for (const [name, says] of [
  ['llama.cpp', await llamaSays()],
  ['Transformers.js', await transformersSays()],
  ['PEFT', await peftSays()],
] as const) {
  if (!says) {
    console.log(`\n${name} is not here`);
    continue;
  }
  const same = says.filter((text, i) => text === here[i]).length;
  console.log(`\n${name}: ${same} of ${prompts.length} answers are the same, word for word`);
  for (const [i, text] of says.entries())
    if (text !== here[i]) console.log(`  ${JSON.stringify(here[i])} here\n  ${JSON.stringify(text)} there`);
}

async function engineSays(): Promise<string[]> {
  const engine = createEngine();
  const model: DecoderHandle = { id: 'base', path, precision: 'q8', maxTokens: 2048 };
  const sampling = {
    temperature: 0,
    topP: 1,
    topK: null,
    repetitionPenalty: 1,
    presencePenalty: 0,
    frequencyPenalty: 0,
    seed: 1,
  };
  const options = { ...sampling, maxTokens: TOKENS, stop: [], logprobs: null, form: null };
  const handle = { id: 'adapter', open: async () => ({ ...files, release: () => {} }) };
  const said: string[] = [];
  for (const text of texts) {
    const prompt = await engine.encodePrompt(model, { text });
    let answer = '';
    for await (const piece of engine.generate(model, { prompt, adapter: handle, options })) answer += piece.text;
    said.push(answer);
    console.log(JSON.stringify(answer));
  }
  await engine.close();
  return said;
}

async function llamaSays(): Promise<string[] | null> {
  const folder = process.env['VECTORIUM_BENCH_LLAMA'];
  if (!folder) return null;
  interface Context {
    getSequence(): {
      evaluate(tokens: readonly number[], options: object): AsyncGenerator<number>;
      clearHistory(): Promise<void>;
    };
  }
  interface Library {
    getLlama(options: object): Promise<{
      loadModel(options: object): Promise<{ createContext(options: object): Promise<Context> }>;
      dispose(): Promise<void>;
    }>;
  }
  const { getLlama } = await library<Library>(folder, 'node-llama-cpp');
  // Its work in the background does not keep a process alive.
  const alive = setInterval(() => {}, 1000);
  const llama = await getLlama({ gpu: false, build: 'never', logLevel: 'error', maxThreads: 2 });
  const model = await llama.loadModel({ modelPath: path });
  const lora = { adapters: [{ filePath: join(adapter, 'adapter.gguf'), scale: 1 }] };
  const context = await model.createContext({ contextSize: 512, threads: 2, lora });
  const sequence = context.getSequence();
  const said: string[] = [];
  for (const text of texts) {
    const prompt = [...tokenizer.encode(text).ids];
    const answer = sequence.evaluate(prompt, { temperature: 0, yieldEogToken: true });
    const ids: number[] = [];
    for await (const id of answer) if (ends.has(id) || ids.push(id) >= TOKENS) break;
    said.push(tokenizer.decode(ids));
    await sequence.clearHistory();
  }
  await llama.dispose();
  clearInterval(alive);
  return said;
}

async function transformersSays(): Promise<string[] | null> {
  const folder = process.env['VECTORIUM_BENCH_TRANSFORMERS'];
  if (!folder) return null;
  interface Library {
    env: { allowRemoteModels: boolean; localModelPath: string };
    pipeline(
      task: string,
      name: string,
    ): Promise<(prompt: object, options: object) => Promise<{ generated_text: { content: string }[] }[]>>;
  }
  const { env, pipeline } = await library<Library>(folder, '@huggingface/transformers');
  const target = await mkdtemp(join(tmpdir(), 'vectorium-bench-'));
  try {
    await exportPortable(path, { precision: 'q8', adapter: files, folder: target });
    Object.assign(env, { allowRemoteModels: false, localModelPath: `${dirname(target)}/` });
    const generate = await pipeline('text-generation', basename(target));
    const said: string[] = [];
    for (const content of prompts) {
      const [answer] = await generate([{ role: 'user', content }], { max_new_tokens: TOKENS, do_sample: false });
      said.push(answer?.generated_text.at(-1)?.content ?? '');
    }
    return said;
  } finally {
    await rm(target, { recursive: true });
  }
}

async function peftSays(): Promise<string[] | null> {
  const programs = await environment(join(import.meta.dirname, 'peers/finetune.txt')).catch(() => null);
  if (!programs) return null;
  const target = await mkdtemp(join(tmpdir(), 'vectorium-bench-'));
  try {
    const ids = texts.map(text => [...tokenizer.encode(text).ids]);
    await writeFile(join(target, 'job.json'), JSON.stringify({ path, adapter, ids, ends: [...ends], tokens: TOKENS }));
    const script = join(import.meta.dirname, 'peers/answer.py');
    const { stdout } = await promisify(execFile)(join(programs, 'python'), [script, join(target, 'job.json')]);
    return (JSON.parse(stdout.trim().split('\n').at(-1) ?? '') as number[][]).map(each => tokenizer.decode(each));
  } finally {
    await rm(target, { recursive: true });
  }
}

async function library<Library>(folder: string, name: string): Promise<Library> {
  const found = createRequire(join(folder, 'package.json')).resolve(name);
  return (await import(pathToFileURL(found).href)) as Library;
}
