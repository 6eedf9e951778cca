/** Templates of conversations, as models publish them. */
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { readGguf } from '../weights/gguf.ts';
import { chatTemplate } from './chat.ts';
import { chatTemplateOfGguf } from './gguf.ts';

const messages = [
  { role: 'system', content: 'Be brief.' },
  { role: 'user', content: 'Hi' },
];

test('a conversation becomes the text that the template says, ready for an answer or not', async () => {
  const file = join(import.meta.dirname, '../fixtures/tokenizers/smollm.gguf');
  const write = chatTemplate(chatTemplateOfGguf(await readGguf(file)) ?? '');
  const text = '<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\nHi<|im_end|>\n';
  expect(write(messages)).toBe(`${text}<|im_start|>assistant\n`);
  expect(write(messages, { prompt: false })).toBe(text);
});

test('a template gets the tokens that it names, and its refusal is the error', () => {
  const write = chatTemplate(
    "{{ bos_token }}{% for m in messages %}{% if m['role'] == 'system' %}{{ raise_exception('no system role') }}{% endif %}" +
      "[INST] {{ m['content'] | trim }} [/INST]{% endfor %}",
  );
  expect(write([{ role: 'user', content: ' Hi ' }], { tokens: { bos_token: '<s>' } })).toBe('<s>[INST] Hi [/INST]');
  expect(() => write(messages)).toThrow('no system role');
});

test('what is no template is refused when it is read', () => {
  expect(() => chatTemplate('{% for m in messages %}')).toThrow();
});
