// The demo's language models. A small one is trained from nothing in seconds; with `--language` a real one is taught a form of answers
// that it does not have, in about five minutes. Both learn from a CSV of prompts and answers, countries of world-countries, and are
// asked about countries that they have not been taught.
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import OpenAI from 'openai';
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
    name: name.common,
    capital: capital[0] ?? '',
    region,
  }))
  .toSorted((one, other) => orderOf(one.prompt) - orderOf(other.prompt));
const form = /^([^|\n]+) \| capital: [^|\n]+ \| region: ([^|\n]+)$/;
const asked = 20;
const shown = 4;
const unseen = facts.slice(0, asked);
const taught = facts.slice(asked);

interface Model {
  model_id: string;
  status: string;
  progress: number;
  seconds: number;
  parameters: number;
  curves: { epoch: number; training_loss: number; validation_loss: number | null }[];
  estimate: { seconds: number; memory_bytes: number } | null;
  error: { message: string } | null;
}

interface Predicted {
  predictions: { text: string }[];
}

/** A model of its own, trained from nothing: it learns the form of the answers, and which words stand where. */
export async function walkSmallLanguageModel(steps: Steps): Promise<void> {
  const { title, check } = steps;
  title(`A language model from nothing: ${taught.length} prompts and answers about countries, as a CSV`);
  const model = await trained(steps, { base_model: 'scratch', epochs: 12, learning_rate: 0.005, seed: 1 });
  const answers = await predicted(steps, model.model_id);
  printed(answers.slice(0, 2), '');
  check(
    score(answers).form >= 0.8 * asked,
    `${score(answers).form} of ${asked} answers about countries that it has never seen have the form that it was taught`,
  );
}

/** A base model before and after it was taught, the same questions to both. */
export async function walkLanguageModel(steps: Steps): Promise<void> {
  const { url, key, title, check, request } = steps;
  title(`A language model, ${base}, as it is (fetched once, hash-verified)`);
  await baseReady(steps);
  const client = new OpenAI({ apiKey: key, baseURL: `${url}/v1` });
  const before = await chatted(client, base);

  title(`Taught on ${taught.length} prompts and answers, a CSV`);
  const { model_id: id } = await trained(steps, {
    base_model: base,
    epochs: 3,
    batch_size: 4,
    learning_rate: 0.001,
    seed: 1,
  });

  title("The same questions, through OpenAI's own client, about countries that it was not taught");
  const after = await chatted(client, id);
  printed(before.slice(0, shown), 'before: ', after.slice(0, shown), 'after:  ');
  const [was, is] = [score(before), score(after)];
  check(
    was.form === 0 && is.form >= 0.9 * asked,
    `${is.form} of ${asked} answers have the form that was taught, ${was.form} had before`,
  );
  check(
    is.region >= 0.5 * asked,
    `${is.region} of ${asked} name the right region at its place, before ${was.region} anywhere`,
  );
  console.log(`  ${is.capital} of ${asked} name the right capital, before ${was.capital}`);
  const same = await predicted(steps, id);
  check(
    same.every((answer, i) => answer === after[i]),
    'POST /api/v2/models/predict says the same, word for word',
  );

  title('The adapter, to take along');
  for (const [format, magic, use] of [
    ['gguf', 'GGUF', 'for llama.cpp'],
    ['peft', 'PK', 'for PEFT, a zip'],
  ] as const) {
    const download = await request(url, key, 'GET', `/api/v2/models/${id}/download?format=${format}`);
    const bytes = Buffer.from(await download.arrayBuffer());
    check(bytes.subarray(0, magic.length).toString() === magic, `${use}: ${(bytes.length / 1e6).toFixed(1)} MB`);
  }
}

async function trained({ url, key, check, call }: Steps, config: object): Promise<Model> {
  const lines = taught.map(({ prompt, completion }) => `${quoted(prompt)},${quoted(completion)}`);
  const { dataset_id: id } = await call<{ dataset_id: string }>(url, key, 'POST', '/api/v2/data/upload', {
    file: Buffer.from(`prompt,completion\n${lines.join('\n')}\n`).toString('base64'),
    format: 'csv',
    metadata: { name: 'countries' },
  });
  const body = { dataset_id: id, model_type: 'llm', config };
  const { model_id: model } = await call<Model>(url, key, 'POST', '/api/v2/models/train', body);
  let now: Model;
  do {
    await sleep(500);
    now = await call<Model>(url, key, 'GET', `/api/v2/models/${model}`);
    if (process.stdout.isTTY) process.stdout.write(`\r  ${Math.round(100 * now.progress)} % `);
  } while (now.status === 'queued' || now.status === 'running');
  if (process.stdout.isTTY) process.stdout.write('\r');
  const [first, last] = [now.curves[0], now.curves.at(-1)];
  const what = `${now.parameters?.toLocaleString('en')} numbers trained in ${now.seconds?.toFixed(0)} s, loss ${first?.training_loss.toFixed(2)} → ${last?.training_loss.toFixed(2)}`;
  check(now.status === 'succeeded', now.error?.message ?? what);
  return now;
}

/** Answers of the likeliest words to all that was not taught. */
async function predicted({ url, key, call }: Steps, model: string): Promise<string[]> {
  const { predictions } = await call<Predicted>(url, key, 'POST', '/api/v2/models/predict', {
    model_id: model,
    input: { data: unseen.map(({ prompt }) => prompt) },
    options: { max_tokens: 40 },
  });
  return predictions.map(({ text }) => text);
}

async function chatted(client: OpenAI, model: string): Promise<string[]> {
  const all: string[] = [];
  for (const { prompt } of unseen) {
    const { choices } = await client.chat.completions.create({
      model,
      messages: [{ role: 'user', content: prompt }],
      max_tokens: 40,
      temperature: 0,
    });
    all.push(choices[0]?.message.content ?? '');
  }
  return all;
}

async function baseReady({ url, key, request }: Steps): Promise<void> {
  const chat = { model: base, messages: [{ role: 'user', content: 'Hello' }], max_tokens: 1 };
  for (let attempt = 0; attempt < 600; attempt++) {
    const { status } = await request(url, key, 'POST', '/v1/chat/completions', chat);
    if (status === 200) return;
    if (status !== 503) throw new Error(`${base} answers ${status}`);
    await sleep(1000);
  }
  throw new Error(`${base} could not be fetched`);
}

/** Of answers to all questions: those in the form, those with the right region (at its place, or anywhere where there is no form), and
 *  those that name the capital. */
function score(answers: readonly string[]): { form: number; region: number; capital: number } {
  const found = { form: 0, region: 0, capital: 0 };
  for (const [i, { region, capital }] of unseen.entries()) {
    const answer = answers[i]?.trim() ?? '';
    const [whole, , said] = form.exec(answer) ?? [];
    if (whole !== undefined) found.form++;
    if (whole === undefined ? answer.includes(region) : said === region) found.region++;
    if (answer.includes(capital)) found.capital++;
  }
  return found;
}

function printed(one: readonly string[], oneIs: string, other: readonly string[] = [], otherIs = ''): void {
  for (const [i, answer] of one.entries()) {
    console.log(`  ${unseen[i]?.prompt}`);
    console.log(`    ${oneIs}${oneLine(answer)}`);
    if (other[i] !== undefined) console.log(`    ${otherIs}${oneLine(other[i])}`);
  }
}

const quoted = (text: string): string => `"${text.replaceAll('"', '""')}"`;
const oneLine = (text: string): string => text.trim().replaceAll(/\s+/g, ' ').slice(0, 110);

/** The same mixed order each time. */
function orderOf(text: string): number {
  return Array.from(text).reduce((hash, character) => (hash * 31 + (character.codePointAt(0) ?? 0)) % 99_991, 7);
}
