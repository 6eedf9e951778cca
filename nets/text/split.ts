/** How the tokenizers of language models divide a text into words: by regular expressions, one after the other. */

export type SplitterJson =
  | { type: 'Sequence'; pretokenizers: SplitterJson[] }
  | { type: 'Split'; pattern: { Regex: string } | { String: string }; behavior: string; invert: boolean }
  | { type: 'Digits'; individual_digits: boolean }
  | { type: 'ByteLevel'; add_prefix_space: boolean; use_regex?: boolean }
  | { type: 'Metaspace'; replacement: string; prepend_scheme?: string; add_prefix_space?: boolean; split?: boolean };

/** The words of a text one behind the other, nothing left out. */
export type Split = (text: string) => Iterable<string>;

export interface WordSplitter {
  split: Split;
  /** Whether words are encoded byte by byte. */
  byteLevel: boolean;
  /** What stands for a space, and when one is put in front of a text. */
  metaspace: { marker: string; prepend: 'always' | 'first' | 'never' } | null;
}

/** Throws for a kind that is not supported. */
export function wordSplitter(json: SplitterJson | null): WordSplitter {
  const steps = json === null ? [] : json.type === 'Sequence' ? json.pretokenizers : [json];
  const expressions: RegExp[] = [];
  let byteLevel = false;
  let metaspace: WordSplitter['metaspace'] = null;
  for (const step of steps) {
    if (step.type === 'Split' && step.behavior === 'Isolated' && !step.invert)
      expressions.push(
        'Regex' in step.pattern ? compiled(step.pattern.Regex) : new RegExp(RegExp.escape(step.pattern.String), 'gu'),
      );
    else if (step.type === 'Digits') expressions.push(step.individual_digits ? /\p{N}/gu : /\p{N}+/gu);
    else if (step.type === 'ByteLevel' && !step.add_prefix_space) {
      byteLevel = true;
      if (step.use_regex !== false) expressions.push(compiled(GPT2));
    } else if (step.type === 'Metaspace' && step.split === false) {
      const scheme = step.prepend_scheme ?? (step.add_prefix_space === false ? 'never' : 'always');
      if (scheme !== 'always' && scheme !== 'first' && scheme !== 'never')
        throw new Error(`A tokenizer with the prepend scheme ${scheme} is not supported.`);
      metaspace = { marker: step.replacement, prepend: scheme };
    } else
      throw new Error(`A tokenizer with the pre-tokenizer ${JSON.stringify(step).slice(0, 120)} is not supported.`);
  }
  const split = expressions.reduce<Split>((before, expression) => text => within(before(text), expression), whole);
  return { split, byteLevel, metaspace };
}

function* whole(text: string): Generator<string> {
  if (text !== '') yield text;
}

/** Matches and what stands between them, word by word: an expression doesn't see beyond the word. */
function* within(words: Iterable<string>, expression: RegExp): Generator<string> {
  for (const word of words) {
    let done = 0;
    for (const match of word.matchAll(expression)) {
      if (match[0] === '') continue;
      if (match.index > done) yield word.slice(done, match.index);
      yield match[0];
      done = match.index + match[0].length;
    }
    if (done < word.length) yield word.slice(done);
  }
}

export const GPT2 = String.raw`'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+`;

/** Oniguruma's white space is Unicode's, JavaScript's is not: it has U+FEFF and lacks U+0085. */
const compiled = (pattern: string): RegExp =>
  new RegExp(
    pattern
      .replaceAll(String.raw`\s`, String.raw`\p{White_Space}`)
      .replaceAll(String.raw`\S`, String.raw`\P{White_Space}`),
    'gu',
  );
