// Every sample of the Vectorial document, run as it is printed: only the host, the key and the stand-in for the file's base64 are changed.
// And the README's spreadsheet.
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { fileURLToPath } from 'node:url';
import { installPython } from './python.ts';
import { adminKey, ask, startTestServer, type TestServer } from './server.ts';

const run = promisify(execFile);
const file = Buffer.from('name,age\nAda,36\nBob,\n').toString('base64');
let server: TestServer;
let samples: { python: string; javascript: string; curl: string };
let folder: string;

// The document's text has lost its line breaks: they are put back where a statement or a line of the shell ends.
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'vectorium-samples-'));
  server = await startTestServer({ environment: { VECTORIUM_MODELS: join(folder, 'models') } });
  const text = (await readFile(new URL('../docs/spec/vectorial-developer-api.txt', import.meta.url), 'utf8'))
    .replaceAll('https://api.vectorial.dev', server.url)
    .replaceAll(/YOUR_API_KEY|your_api_key/g, adminKey)
    .replaceAll('base64_encoded_data', file);
  const between = (start: string, end: string) =>
    text.slice(text.indexOf(`\n${start}\n`) + start.length + 2).split(`\n${end}`)[0] ?? '';
  samples = {
    python: between('Python', 'JavaScript'),
    javascript: between('JavaScript', 'cURL'),
    curl: between('cURL', 'Error Handling').replaceAll('\\ -', '\\\n-'),
  };
});

afterAll(async () => {
  await server?.end();
  await rm(folder, { recursive: true, force: true });
});

async function isDataset(id: string): Promise<void> {
  const { body } = await ask<object>(`${server.url}/v2/data/${id}`, { key: adminKey, method: 'GET' });
  expect(body).toMatchObject({
    dataset_id: id,
    name: 'my_dataset',
    rows: 2,
    columns: [{ name: 'name' }, { name: 'age' }],
  });
}

test('the cURL sample', async () => {
  const { stdout } = await run('bash', ['-c', samples.curl]);
  await isDataset((JSON.parse(stdout) as { dataset_id: string }).dataset_id);
});

test('the Python sample', async ({ skip }) => {
  const packages = await installPython(['requests']);
  if (packages === null) return skip('pip can not install requests here');
  const lines = samples.python
    .replaceAll(/ (API_KEY =|BASE_URL =|headers = \{|# Upload data|dataset_id =)/g, '\n$1')
    .replace('# Upload data ', '# Upload data\n')
    .replace('import requests ', 'import requests\n');
  const script = join(folder, 'sample.py');
  await writeFile(script, `${lines}\nprint(dataset_id)\n`);
  const { stdout } = await run('python3', [script], { env: { ...process.env, PYTHONPATH: packages } });
  await isDataset(stdout.trim());
});

test('the JavaScript sample', async () => {
  const script = join(folder, 'sample.mjs');
  await writeFile(script, `${samples.javascript}\nconsole.log(await uploadData(${JSON.stringify(file)}));\n`);
  const { stdout } = await run(process.execPath, [script]);
  await isDataset(stdout.trim());
});

/** The request body that the document prints for a route, with what stands for something else replaced. */
async function printedBody(route: string, replaced: Record<string, string>): Promise<string> {
  const text = await readFile(new URL('../docs/spec/vectorial-developer-api.txt', import.meta.url), 'utf8');
  const printed = text.split(`POST ${route}\n`)[1]?.split('Request Body:\n')[1]?.split('\n')[0] ?? '';
  return Object.entries(replaced).reduce((body, [from, to]) => {
    expect(body).toContain(from);
    return body.replace(from, to);
  }, printed);
}

async function post<Answer>(path: string, body: string): Promise<Answer> {
  const headers = { authorization: `Bearer ${adminKey}`, 'content-type': 'application/json', prefer: 'wait=60' };
  const response = await fetch(server.url + path, { method: 'POST', headers, body });
  const answer = (await response.json()) as Answer;
  expect(response.status, JSON.stringify(answer)).toBe(200);
  return answer;
}

test('the bodies of training and inference, one after the other', async () => {
  const rows = Array.from({ length: 60 }, (_, row) => `${row},${row % 7},${row > 30 ? 'old' : 'young'}`);
  const table = Buffer.from(`age,children,label\n${rows.join('\n')}\n`).toString('base64');
  const upload = JSON.stringify({ file: table, format: 'csv' });
  const { dataset_id: dataset } = await post<{ dataset_id: string }>('/api/v2/data/upload', upload);
  const train = await printedBody('/api/v2/models/train', {
    your_dataset_id: dataset,
    'classification|regression|llm': 'classification',
  });
  const model = await post<{ model_id: string; status: string }>('/api/v2/models/train', train);
  expect(model).toMatchObject({ status: 'succeeded' });
  const predict = await printedBody('/api/v2/models/predict', {
    your_model_id: model.model_id,
    '[...]': '[{"age": 55, "children": 2}, {"age": 3, "children": 0}]',
  });
  const answer = await post<{ predictions: string[] }>('/api/v2/models/predict', predict);
  expect(answer.predictions).toEqual(['old', 'young']);
  expect(answer).toMatchObject({ model_id: model.model_id, probabilities: [{ old: expect.any(Number) }, {}] });
});

test("the README's spreadsheet, with curl alone", async () => {
  const readme = await readFile(new URL('../README.md', import.meta.url), 'utf8');
  const block = [...readme.matchAll(/```sh\n([\s\S]*?)```/g)]
    .map(match => match[1] ?? '')
    .find(each => each.includes('people.xlsx'));
  const spreadsheet = fileURLToPath(new URL('../tables/fixtures/sheet.xlsx', import.meta.url));
  const [settings, upload, ...rest] = String(block)
    .replaceAll('http://127.0.0.1:8080', server.url)
    .replaceAll('people.xlsx', spreadsheet)
    .replaceAll('\\\n', '')
    .trim()
    .split('\n');
  const curl = async (line: string | undefined) =>
    (await run('bash', ['-c', `${settings}\n${line}`], { cwd: folder, env: { ...process.env, KEY: adminKey } })).stdout;
  const { dataset_id: id, rows } = JSON.parse(await curl(upload)) as { dataset_id: string; rows: number };
  expect(rows).toBeGreaterThan(0);
  const [processed = '', page = ''] = [
    await curl(rest[0]?.replace('ds_…', id)),
    await curl(rest[1]?.replace('ds_…', id)),
  ];
  expect(JSON.parse(processed)).toMatchObject({ status: 'succeeded', version: 2 });
  expect(JSON.parse(page)).toMatchObject({ dataset_id: id, version: 2 });
  await curl(rest[2]?.replace('ds_…', id));
  const csv = await readFile(join(folder, 'people.csv'), 'utf8');
  expect(csv.split('\n').length).toBeGreaterThan(1);
});
