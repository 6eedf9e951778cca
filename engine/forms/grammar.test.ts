// JSON schemas as grammars: whatever is drawn of what is allowed is JSON that the schema takes, as another validator says; and what can
// not be held is refused with its place.
import Ajv from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';
import { afterAll, expect, test } from 'vitest';
import { randomNumbers } from '../generation/sampler.ts';
import { Form } from './form.ts';
import { grammarOf } from './grammar.ts';

const characters = Array.from({ length: 94 }, (_, i) => String.fromCharCode(33 + i));
/** One character a token, white space and bytes of others as GPT-2 writes them, and tokens that reach over parts of JSON. */
const pieces = [
  '',
  'Ġ',
  'Ċ',
  'ĉ',
  'Ã',
  '©',
  'ð',
  'Ł',
  'Į',
  '±',
  ...characters,
  '":',
  '",',
  'Ġ"',
  '"}',
  '},',
  '12',
  'true',
  '\\"',
  '{"a',
  '}}',
];
const end = 0;
const random = randomNumbers(7);
const validator = new Ajv.default({ strict: false });
addFormats.default(validator);
const opened: Form[] = [];
afterAll(() => opened.forEach(form => form.close()));

const bytesOf: Record<string, number> = {
  Ġ: 32,
  Ċ: 10,
  ĉ: 9,
  Ã: 0xc3,
  '©': 0xa9,
  ð: 0xf0,
  Ł: 0x9f,
  Į: 0x8c,
  '±': 0xb1,
};
const textOf = (ids: readonly number[]): string =>
  Buffer.from(ids.flatMap(id => Array.from(pieces[id] ?? '', each => bytesOf[each] ?? each.charCodeAt(0)))).toString();

/** Texts of the form whose tokens are drawn by chance; after some dozen the draws prefer what comes to an end. */
async function drawn(schema: object, count: number): Promise<string[]> {
  const form = new Form({ grammar: grammarOf(schema), pieces, ends: [end] }, 20_000);
  opened.push(form);
  await form.ready;
  const texts: string[] = [];
  for (let i = 0; i < count; i++) {
    const text = form.open();
    const ids: number[] = [];
    for (let step = 0; step < 400; step++) {
      const allowed = await text.allowed();
      const possible = pieces.flatMap((_, id) => (((allowed[id >>> 5] ?? 0) >>> (id & 31)) & 1 ? [id] : []));
      expect(possible, `after ${textOf(ids)}`).not.toHaveLength(0);
      const closing = step < 40 ? [] : possible.filter(id => ['"', '}', ']'].includes(pieces[id] ?? ''));
      const choice =
        possible.includes(end) && (step >= 40 || random() < 0.3) ? [end] : closing.length > 0 ? closing : possible;
      const id = choice[Math.floor(random() * choice.length)] ?? end;
      if (id === end) {
        texts.push(textOf(ids));
        break;
      }
      ids.push(id);
      text.accept(id);
    }
    text.close();
  }
  return texts;
}

const object = (properties: object, more: object = {}) => ({
  type: 'object',
  properties,
  required: Object.keys(properties),
  additionalProperties: false,
  ...more,
});

test.for<[string, object]>([
  [
    'strings',
    object({
      free: { type: 'string' },
      some: { type: 'string', minLength: 2, maxLength: 6 },
      few: { type: 'string', maxLength: 3 },
    }),
  ],
  [
    'formats',
    object({
      d: { format: 'date' },
      t: { format: 'time' },
      b: { format: 'date-time' },
      u: { format: 'uuid' },
      e: { format: 'email' },
      i: { format: 'ipv4' },
    }),
  ],
  [
    'whole numbers',
    object({
      a: { type: 'integer', minimum: 3, maximum: 1047 },
      b: { type: 'integer', exclusiveMinimum: -25, exclusiveMaximum: 7 },
      c: { type: 'integer', maximum: -12 },
      d: { type: 'integer', minimum: 98 },
    }),
  ],
  [
    'numbers',
    object({
      a: { type: 'number', minimum: 0, maximum: 1 },
      b: { type: 'number', exclusiveMinimum: 0 },
      c: { type: 'number', minimum: -12, exclusiveMaximum: 5 },
      d: { type: 'number' },
      e: { minimum: 2, exclusiveMaximum: 3 },
    }),
  ],
  [
    'lists',
    object({
      a: { type: 'array', items: { type: 'integer' }, minItems: 2, maxItems: 4 },
      b: { items: { enum: ['x', 'y'] }, maxItems: 3 },
      c: { prefixItems: [{ type: 'integer' }, { type: 'boolean' }], items: false },
    }),
  ],
  [
    'values',
    object({
      a: { enum: ['a"\\\n', 1.5, null, { b: [1, 'é'] }] },
      b: { const: 'x' },
      c: { type: 'string', enum: ['k', 3] },
    }),
  ],
  [
    'several types',
    object({
      a: { anyOf: [{ type: 'integer' }, { type: 'string', maxLength: 3 }] },
      b: { type: ['integer', 'null'] },
      c: true,
    }),
  ],
  [
    'fields that may be missing',
    {
      type: 'object',
      properties: { a: { type: 'integer' }, b: { type: 'boolean' }, c: { type: 'null' } },
      required: ['b'],
    },
  ],
  ['fields of any name', { type: 'object', additionalProperties: { type: 'integer' } }],
  [
    'names that need care',
    object(
      { 'café "k"\\': { type: 'boolean' }, 'a/b~c': { $ref: '#/properties/a~1b~0c/anyOf/0' }, x: { type: 'null' } },
      {
        properties: {
          'café "k"\\': { type: 'boolean' },
          'a/b~c': { anyOf: [{ type: 'integer' }] },
          a: { type: 'object', properties: { 'b~c': { type: 'null' } } },
          again: { $ref: '#/properties/a~1b~0c/anyOf/0' },
        },
        required: ['again', 'a/b~c', 'other'],
        additionalProperties: { type: 'boolean' },
      },
    ),
  ],
  [
    'a tree',
    {
      $ref: '#/$defs/n',
      $defs: { n: object({ v: { type: 'integer' }, next: { anyOf: [{ $ref: '#/$defs/n' }, { type: 'null' }] } }) },
    },
  ],
  ['any object', { type: 'object' }],
  [
    'a choice of objects',
    {
      anyOf: [
        object({ k: { const: 'a' }, x: { type: 'integer' } }),
        object({ k: { const: 'b' }, y: { allOf: [{ type: 'boolean' }] } }),
      ],
    },
  ],
])('%s', { timeout: 60_000 }, async ([, schema]) => {
  const holds = validator.compile(schema);
  const texts = await drawn(schema, 25);
  expect(texts.length).toBeGreaterThan(15);
  for (const text of texts)
    expect(holds(JSON.parse(text)), `${text}: ${validator.errorsText(holds.errors)}`).toBe(true);
});

function refusal(schema: unknown): string {
  try {
    return grammarOf(schema);
  } catch (error) {
    return error instanceof Error ? error.message : '';
  }
}

test('what can not be held is refused with its place', () => {
  expect(refusal(object({ a: { type: 'integer', multipleOf: 5 } }))).toBe(
    'The schema at /properties/a has multipleOf, which is not supported',
  );
  for (const [name, value] of Object.entries({
    oneOf: [{}],
    not: {},
    if: {},
    uniqueItems: true,
    contains: {},
    pattern: 'a',
    $dynamicRef: '#x',
  }))
    expect(refusal({ [name]: value })).toContain(name);
  expect(refusal({ anyOf: [{ type: 'integer' }], minimum: 3 })).toContain('has minimum beside anyOf');
  expect(refusal({ $ref: '#' })).toContain('refers to itself alone');
  expect(refusal({ anyOf: [{ $ref: '#/$defs/a' }], $defs: { a: { $ref: '#' } } })).toContain('refers to itself alone');
  expect(refusal({ $ref: 'https://example.com/x' })).toContain('not in the schema');
  expect(refusal({ type: 'text' })).toContain('type that there is not, "text"');
  expect(refusal({ format: 'uri' })).toContain('those that can be held are date');
  expect(refusal({ type: 'string', maxLength: 5000 })).toContain('more than 100');
  expect(refusal({ type: 'integer', minimum: 5, maximum: 4 })).toContain('leave no number');
  expect(refusal({ type: 'number', minimum: 0.5 })).toContain('not whole');
  expect(refusal({ required: ['a'], additionalProperties: false })).toContain('requires "a"');
  expect(refusal({ type: 'string', enum: [3] })).toContain('no value of its type');
  expect(refusal(false)).toContain('allows nothing');
  expect(refusal(null)).toContain('is no schema');
});
