// The demo's language models. A small one is trained from nothing in seconds, on names. With `--language` a real one is taught a form of
// answers that it does not have, in about five minutes, and asked about countries that it has not been taught. Both learn from a CSV of
// prompts and answers, made of world-countries.
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

/** A model of its own, trained from nothing: it learns how names look, and makes up some. */
export async function walkSmallLanguageModel(steps: Steps): Promise<void> {
  const { url, key, title, check, call } = steps;
  const names = facts.flatMap(({ name, capital }) => [
    { prompt: 'Name a country.', completion: name },
    { prompt: 'Name a capital.', completion: capital },
  ]);
  title(`A language model from nothing: ${names.length} names of countries and capitals, a CSV`);
  const { model_id: id, curves } = await trained(steps, names, { base_model: 'scratch', epochs: 16, seed: 1 });
  const losses = curves.flatMap(({ validation_loss: loss }) => loss ?? []);
  check(
    Math.min(...losses) < 0.95 * (losses[0] ?? 0),
    `names that it has not seen surprise it less: loss ${losses[0]?.toFixed(2)} → ${Math.min(...losses).toFixed(2)}`,
  );
  const asking = { data: Array.from({ length: asked }, () => 'Name a capital.') };
  const options = { temperature: 0.8, max_tokens: 16, seed: 1 };
  const body = { model_id: id, input: asking, options };
  const { predictions } = await call<Predicted>(url, key, 'POST', '/api/v2/models/predict', body);
  const said = predictions.map(({ text }) => text.trim());
  const looksRight = said.filter(text => /^\p{Lu}[\p{L} .'’-]{2,}$/u.test(text));
  const known = new Set(names.map(({ completion }) => completion));
  const made = [...new Set(looksRight.filter(text => !known.has(text)))];
  check(
    looksRight.length >= 0.7 * asked,
    `${looksRight.length} of ${asked} answers look like names, ${made.length} of them are new`,
  );
  console.log(`  ${made.slice(0, 8).join(', ')}`);
}

/** A base model before and after it was taught, the same questions to both. */
export async function walkLanguageModel(steps: Steps): Promise<void> {
  const { url, key, title, check, request } = steps;
  title(`A language model, ${base}, as it is (fetched once, hash-verified)`);
  await baseReady(steps);
  const client = new OpenAI({ apiKey: key, baseURL: `${url}/v1` });
  const before = await chatted(client, base);

  title(`Taught on ${taught.length} prompts and answers, a CSV`);
  const { model_id: id } = await trained(steps, taught, {
    base_model: base,
    epochs: 3,
    batch_size: 4,
    learning_rate: 0.001,
    seed: 1,
  });

  title("The same questions, through OpenAI's own client, about countries that it was not taught");
  const after = await chatted(client, id);
  printed(before.slice(0, shown), after.slice(0, shown));
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

async function trained(
  { url, key, check, call }: Steps,
  rows: readonly { prompt: string; completion: string }[],
  config: object,
): Promise<Model> {
  const lines = rows.map(({ prompt, completion }) => `${quoted(prompt)},${quoted(completion)}`);
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

function printed(before: readonly string[], after: readonly string[]): void {
  for (const [i, answer] of before.entries()) {
    console.log(`  ${unseen[i]?.prompt}`);
    console.log(`    before: ${oneLine(answer)}`);
    console.log(`    after:  ${oneLine(after[i] ?? '')}`);
  }
}

const quoted = (text: string): string => `"${text.replaceAll('"', '""')}"`;
const oneLine = (text: string): string => text.trim().replaceAll(/\s+/g, ' ').slice(0, 110);

/** The same mixed order each time. */
function orderOf(text: string): number {
  return Array.from(text).reduce((hash, character) => (hash * 31 + (character.codePointAt(0) ?? 0)) % 99_991, 7);
}
