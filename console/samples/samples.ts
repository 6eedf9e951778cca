// The same request in the languages that people call the API from, ready to be pasted into a terminal or a file.

export interface SampleRequest {
  method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  /** With its query, e.g. `/api/v2/data?limit=5`. */
  path: string;
  body?: unknown;
  /** A file of the caller's that is the body; `body` is then left out. */
  file?: string;
}

export const languages = ['curl', 'python', 'typescript'] as const;
export type Language = (typeof languages)[number];

/** Keys are read from the environment: a sample that is pasted into a repository must not bring one along. */
const variable = 'VECTORIUM_API_KEY';

export function sample(request: SampleRequest, { language, origin }: { language: Language; origin: string }): string {
  const url = origin + request.path;
  switch (language) {
    case 'curl':
      return curl(request, url);
    case 'python':
      return python(request, url);
    case 'typescript':
      return typescript(request, url);
  }
}

function curl({ method, body, file }: SampleRequest, url: string): string {
  const lines = [`curl ${shellWord(url)}`, `-H "Authorization: Bearer $${variable}"`];
  // These follow from the data that is sent.
  if (!(method === 'GET' || (method === 'POST' && body !== undefined) || (method === 'PUT' && file !== undefined)))
    lines.push(`-X ${method}`);
  if (file !== undefined) lines.push(`-T ${shellWord(file)}`);
  else if (body !== undefined)
    lines.push('-H "Content-Type: application/json"', `-d ${shellWord(JSON.stringify(body, null, 2))}`);
  return lines.join(' \\\n  ');
}

/** As one word that no shell changes. */
function shellWord(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", String.raw`'\''`)}'`;
}

function python({ method, body, file }: SampleRequest, url: string): string {
  const headers = `headers={"Authorization": f"Bearer {os.environ['${variable}']}"}`;
  const content =
    file !== undefined
      ? [`data=open(${JSON.stringify(file)}, "rb")`]
      : body === undefined
        ? []
        : [`json=${pythonValue(body, '    ')}`];
  const list = [JSON.stringify(url), headers, ...content].map(each => `    ${each},`);
  return [
    'import os',
    'import requests',
    '',
    `response = requests.${method.toLowerCase()}(`,
    ...list,
    ')',
    'response.raise_for_status()',
    'print(response.json())',
  ].join('\n');
}

function pythonValue(value: unknown, indent: string): string {
  if (value === null || value === undefined) return 'None';
  if (value === true) return 'True';
  if (value === false) return 'False';
  if (typeof value !== 'object') return JSON.stringify(value);
  const inner = `${indent}    `;
  const items = Array.isArray(value)
    ? value.map(item => pythonValue(item, inner))
    : Object.entries(value).flatMap(([key, item]) =>
        item === undefined ? [] : [`${JSON.stringify(key)}: ${pythonValue(item, inner)}`],
      );
  const [open, close] = Array.isArray(value) ? ['[', ']'] : ['{', '}'];
  const flat = `${open}${items.join(', ')}${close}`;
  if (flat.length <= 72 && !flat.includes('\n')) return flat;
  return `${open}\n${items.map(item => `${inner}${item},`).join('\n')}\n${indent}${close}`;
}

function typescript({ method, body, file }: SampleRequest, url: string): string {
  const headers =
    body === undefined || file !== undefined
      ? `{ Authorization: \`Bearer \${process.env.${variable}}\` }`
      : `{\n    Authorization: \`Bearer \${process.env.${variable}}\`,\n    'Content-Type': 'application/json',\n  }`;
  const content =
    file !== undefined
      ? [`body: await openAsBlob(${JSON.stringify(file)})`]
      : body === undefined
        ? []
        : [`body: JSON.stringify(${JSON.stringify(body, null, 2).replaceAll('\n', '\n  ')})`];
  const options = [...(method === 'GET' ? [] : [`method: '${method}'`]), `headers: ${headers}`, ...content];
  return [
    ...(file === undefined ? [] : ["import { openAsBlob } from 'node:fs';", '']),
    `const response = await fetch(${JSON.stringify(url)}, {`,
    ...options.map(option => `  ${option},`),
    '});',
    'if (!response.ok) throw new Error((await response.json()).message);',
    'console.log(await response.json());',
  ].join('\n');
}
