// README.md of a language model's folder: what it is, how it was made and what it says, and how to use it elsewhere.
import type { DescribedModel } from './model-folder.ts';

export function languageReadme(card: DescribedModel): string {
  const { language, rows, config, curves, metrics } = card;
  const { base, lora, columns, tokens, samples } = language;
  const what = base
    ? `An adapter (LoRA, rank ${lora?.rank ?? 0}) for ${base.model}, taught`
    : 'A small language model, trained from nothing';
  const cut = [
    samples.longer > 0 ? `${samples.longer} were longer than ${language.max_length} tokens` : '',
    samples.without_answer > 0 ? `${samples.without_answer} had nothing to learn within that length` : '',
    samples.empty > 0 ? `${samples.empty} were empty` : '',
  ].filter(Boolean);
  return `${[
    '# Language model',
    `${what} on ${rows.training.toLocaleString('en')} samples of ${Object.values(columns).map(code).join(' and ')}${cut.length > 0 ? ` (${cut.join(', ')})` : ''}: ${tokens.learnt.toLocaleString('en')} of ${tokens.all.toLocaleString('en')} tokens are learnt, the rest is what is answered. ${card.parameters.toLocaleString('en')} numbers were trained in ${Math.round(card.seconds)} s; the run ended by ${code(card.stopped)}, and epoch ${card.best_epoch} is kept.`,
    metrics
      ? `On ${rows.validation} samples that were held out, the loss is ${shown(metrics['loss'])} a token (perplexity ${shown(metrics['perplexity'])}).`
      : 'No samples were held out.',
    '## Losses',
    table(
      ['epoch', 'training', 'held out'],
      curves.map(({ epoch, training_loss: training, validation_loss: validation }) => [
        String(epoch),
        shown(training),
        shown(validation),
      ]),
    ),
    '## What it says',
    ...answersOf(card),
    '## Use',
    base ? adapterUse(base.model) : scratchUse,
    '## Settings',
    table(
      ['setting', 'value'],
      Object.entries(config).map(([name, value]) => [code(name), JSON.stringify(value)]),
    ),
  ].join('\n\n')}\n`;
}

/** Of each prompt, what was answered before the first step and what is answered in the end. */
function answersOf({ language: { answers }, best_epoch: best }: DescribedModel): string[] {
  const prompts = [...new Set(answers.map(({ prompt }) => prompt))];
  return prompts.map(prompt => {
    const of = (epoch: number) => answers.find(each => each.prompt === prompt && each.epoch === epoch)?.answer ?? '';
    const expected = answers.find(each => each.prompt === prompt)?.expected ?? '';
    return [
      block('Asked', prompt),
      block('Before', of(0)),
      block('Now', of(best)),
      block('In the data', expected),
    ].join('\n\n');
  });
}

const adapterUse = (
  base: string,
): string => `\`adapter_model.safetensors\` and \`adapter_config.json\` are for PEFT, \`adapter.gguf\` is for llama.cpp:

\`\`\`python
from peft import PeftModel
from transformers import AutoModelForCausalLM
model = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained("${base}"), "this folder")
\`\`\`

\`\`\`sh
llama-cli -m base.gguf --lora adapter.gguf
\`\`\``;

const scratchUse = `\`\`\`python
from transformers import AutoModelForCausalLM, AutoTokenizer
model, tokenizer = AutoModelForCausalLM.from_pretrained("this folder"), AutoTokenizer.from_pretrained("this folder")
\`\`\``;

const code = (text: string): string => `\`${text}\``;
const shown = (value: unknown): string => (typeof value === 'number' ? value.toPrecision(4) : '–');
const block = (title: string, text: string): string => `${title}:\n\n${text.trim().replaceAll(/^/gm, '    ')}`;
const table = (head: string[], rows: string[][]): string =>
  [head, head.map(() => '---'), ...rows].map(cells => `| ${cells.join(' | ')} |`).join('\n');
