// Every text of the console is in a message file, in each language, with the same names in braces, and is shown somewhere.
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { parseAst } from 'vite';
import { expect, test } from 'vitest';
import type { Messages } from './index.ts';

const room = join(import.meta.dirname, '..');
const files = readdirSync(join(import.meta.dirname, 'en'));

test.each(files)('%s says the same in both languages', async file => {
  const [en, tr] = await Promise.all(['en', 'tr'].map(language => messages(language, file)));
  expect(Object.keys(tr ?? {}).toSorted()).toEqual(Object.keys(en ?? {}).toSorted());
  for (const [key, english] of Object.entries(en ?? {}))
    for (const form of forms(tr?.[key])) expect([key, names(form)]).toEqual([key, names(forms(english).at(-1) ?? '')]);
});

test('no text is left untranslated', async () => {
  // Names, units and what is written alike.
  const alike = /^(?:Model|Plan|Token|Disk|Pivot|[^a-z]*|[A-Z0-9²]+|.* \((?:ONNX|JSON|PEFT)\))$/;
  const same = await Promise.all(
    files.map(async file => {
      const [en, tr] = await Promise.all(['en', 'tr'].map(language => messages(language, file)));
      return Object.entries(en ?? {}).flatMap(([key, english]) =>
        typeof english === 'string' && english === tr?.[key] && !alike.test(english) ? [`${file}: ${key}`] : [],
      );
    }),
  );
  expect(same.flat()).toEqual([]);
});

test('every text is shown somewhere', async () => {
  const code = sources()
    .map(path => readFileSync(path, 'utf8'))
    .join('\n');
  const whole = new Set([...code.matchAll(/['"](\w+)['"]/g)].map(([, word]) => word));
  // States that the API gives.
  for (const state of ['unavailable']) whole.add(state);
  // `objection_${reason}` stands for all that begin so.
  const patterns = [
    ...new Set([...code.matchAll(/`(\w*)\$\{[^}]+\}(\w*)`/g)].map(([, start, end]) => `${start} ${end}`)),
  ]
    .filter(pattern => pattern.trim() !== '')
    .map(pattern => pattern.split(' '));
  const unused = await Promise.all(
    files.map(async file =>
      Object.keys(await messages('en', file)).filter(
        key =>
          !whole.has(key) && !patterns.some(([start = '', end = '']) => key.startsWith(start) && key.endsWith(end)),
      ),
    ),
  );
  expect(unused.flat()).toEqual([]);
});

test('no page has a text of its own', () => {
  const found = sources()
    .filter(path => path.endsWith('.tsx'))
    .flatMap(path => written(readFileSync(path, 'utf8')).map(words => `${path.slice(room.length + 1)}: ${words}`));
  expect(found).toEqual([]);
});

async function messages(language: string, file: string): Promise<Messages> {
  return ((await import(join(import.meta.dirname, language, file))) as { default: Messages }).default;
}

function forms(entry: Messages[string] | undefined): string[] {
  return typeof entry === 'string' ? [entry] : Object.values(entry ?? {});
}

function names(form: string): string[] {
  return [...form.matchAll(/\{(\w+)\}/g)].map(([, name]) => name ?? '').toSorted();
}

function sources(): string[] {
  const under = (folder: string) =>
    readdirSync(join(room, folder), { recursive: true, encoding: 'utf8' }).map(name => join(room, folder, name));
  return ['api', 'charts', 'layout', 'pages', 'samples', 'ui', 'messages']
    .flatMap(under)
    .concat(join(room, 'router.tsx'))
    .filter(path => /(?<!\.test)\.tsx?$/.test(path) && !/messages\/(en|tr)\//.test(path));
}

/** Attributes that people read or hear. */
const spoken = new Set([
  'aria-label',
  'label',
  'title',
  'description',
  'hint',
  'alt',
  'placeholder',
  'about',
  'action',
]);
/** Names that are the same in every language, and examples. */
const proper =
  /^(?:Vectorium|English|Türkçe|sk-…|null|Ctrl K|churn@production|TabM|RealMLP|MLP|p\d\d|\d{4}-\d\d-\d\dT[\d:]+|[^\p{Letter}]*)$/u;

/** Texts that stand in the markup itself. */
function written(code: string): string[] {
  const found: string[] = [];
  const look = (node: unknown): void => {
    if (Array.isArray(node)) for (const each of node) look(each);
    if (typeof node !== 'object' || node === null || Array.isArray(node)) return;
    const { type, value, name } = node as { type?: string; value?: unknown; name?: { name?: unknown } };
    const words =
      type === 'JSXText'
        ? value
        : type === 'JSXAttribute' && spoken.has(String(name?.name))
          ? (value as { value?: unknown } | null)?.value
          : undefined;
    if (typeof words === 'string' && !proper.test(words.trim())) found.push(words.trim());
    for (const each of Object.values(node)) look(each);
  };
  look(parseAst(code, { lang: 'tsx' }));
  return found;
}
