// The demo's language model: a small one is taught a form of answers that it does not have, on countries of world-countries. Shown are
// answers before and after, to questions about countries that it has not been taught.
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { Steps } from './birdstrikes.ts';

interface Country {
  name: { common: string };
  capital: string[];
  region: string;
  independent: boolean;
}

const base = 'smollm2_135m';
const file = fileURLToPath(import.meta.resolve('world-countries/countries.json'));
const countries = JSON.parse(readFileSync(file, 'utf8')) as Country[];
/** All are asked the same way, and answered in one line of a fixed form. */
const facts = countries
  .filter(({ independent, capital }) => independent && capital.length > 0)
  .map(({ name, capital, region }) => ({
    prompt: `Tell me about ${name.common}.`,
    completion: `${name.common} | capital: ${capital[0]} | region: ${region}`,
    region,
  }));
const form = /^[^|\n]+ \| capital: [^|\n]+ \| region: [^|\n]+$/;
const asked = 6;

interface Shown {
  model_id: string;
  status: string;
  progress: number;
  seconds: number;
  parameters: number;
  curves: { epoch: number; training_loss: number }[];
  error: { message: string } | null;
}

interface Chat {
  choices: { message: { content: string } }[];
}

/** `long` teaches all countries instead of few. */
export async function walkLanguageModel(
  { url, key, title, check, request, call }: Steps,
  long: boolean,
): Promise<void> {
  title(`A language model, ${base}, as it is (fetched once, hash-verified)`);
  await modelReady();
  const mixed = facts.toSorted((one, other) => orderOf(one.prompt) - orderOf(other.prompt));
  const unseen = mixed.slice(0, asked);
  const taught = mixed.slice(asked, long ? undefined : asked + 32);
  const before = await answers(base);

  title(`Taught on ${taught.length} prompts and answers`);
  const lines = taught.map(({ prompt, completion }) => JSON.stringify({ prompt, completion })).join('\n');
  const { dataset_id: id } = await call<{ dataset_id: string }>(url, key, 'POST', '/api/v2/data/upload', {
    file: Buffer.from(lines).toString('base64'),
    format: 'ndjson',
    metadata: { name: 'countries' },
  });
  const config = { base_model: base, epochs: long ? 4 : 3, batch_size: 4, learning_rate: 0.001, seed: 1 };
  const body = { dataset_id: id, model_type: 'llm', config: { ...config, ...(!long && { max_seconds: 60 }) } };
  const { model_id: model } = await call<Shown>(url, key, 'POST', '/api/v2/models/train', body);
  let shown: Shown;
  do {
    await sleep(500);
    shown = await call<Shown>(url, key, 'GET', `/api/v2/models/${model}`);
    if (process.stdout.isTTY) process.stdout.write(`\r  ${Math.round(100 * shown.progress)} % `);
  } while (shown.status === 'queued' || shown.status === 'running');
  if (process.stdout.isTTY) process.stdout.write('\r');
  const [first, last] = [shown.curves[0], shown.curves.at(-1)];
  check(
    shown.status === 'succeeded',
    `${shown.error?.message ?? `${shown.parameters.toLocaleString('en')} numbers trained in ${shown.seconds.toFixed(0)} s, loss ${first?.training_loss.toFixed(2)} → ${last?.training_loss.toFixed(2)}`}`,
  );

  title('The same questions, about countries that it was not taught');
  const after = await answers(model);
  for (const [i, { prompt }] of unseen.entries()) {
    console.log(`  ${prompt}`);
    console.log(`    before: ${oneLine(before[i] ?? '')}`);
    console.log(`    after:  ${oneLine(after[i] ?? '')}`);
  }
  const right = unseen.filter(({ region }, i) => after[i]?.trim().endsWith(`region: ${region}`)).length;
  check(
    inForm(before) === 0 && inForm(after) >= asked - 1,
    `${inForm(after)} of ${asked} answers have the form that was taught, none had before; ${right} name the right region`,
  );
  const download = await request(url, key, 'GET', `/api/v2/models/${model}/download?format=gguf`);
  const bytes = new Uint8Array(await download.arrayBuffer());
  check(
    Buffer.from(bytes.subarray(0, 4)).toString() === 'GGUF',
    `the adapter for llama.cpp: ${(bytes.length / 1e6).toFixed(1)} MB`,
  );

  async function answers(name: string): Promise<string[]> {
    const all: string[] = [];
    for (const { prompt } of unseen) {
      const messages = [{ role: 'user', content: prompt }];
      const chat = { model: name, messages, max_tokens: 40, temperature: 0 };
      const { choices } = await call<Chat>(url, key, 'POST', '/v1/chat/completions', chat);
      all.push(choices[0]?.message.content ?? '');
    }
    return all;
  }

  async function modelReady(): Promise<void> {
    const chat = { model: base, messages: [{ role: 'user', content: 'Hello' }], max_tokens: 1 };
    for (let attempt = 0; attempt < 600; attempt++) {
      const { status } = await request(url, key, 'POST', '/v1/chat/completions', chat);
      if (status === 200) return;
      if (status !== 503) throw new Error(`${base} answers ${status}`);
      await sleep(1000);
    }
    throw new Error(`${base} could not be fetched`);
  }
}

const inForm = (all: string[]): number => all.filter(answer => form.test(answer.trim())).length;
const oneLine = (text: string): string => text.trim().replaceAll(/\s+/g, ' ').slice(0, 110);

/** The same mixed order each time. */
const orderOf = (text: string): number =>
  Array.from(text).reduce((hash, character) => (hash * 31 + (character.codePointAt(0) ?? 0)) % 99_991, 7);
