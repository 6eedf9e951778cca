/**
 * The normalisers of Hugging Face's tokenizer.json that encoder models use: each reads aligned text and writes the
 * normalised text with the original ranges. They give what Hugging Face's Rust library gives, quirks included.
 */
import type { Aligned } from './aligned.ts';
import { readCharsmap } from './charsmap.ts';
import { inSharedMemory } from './shared.ts';

export type Normalizer = (input: Aligned, output: Aligned) => void;

export type NormalizerJson =
  | { type: 'Sequence'; normalizers: NormalizerJson[] }
  | { type: 'Precompiled'; precompiled_charsmap: string }
  | { type: 'Replace'; pattern: { Regex: string } | { String: string }; content: string }
  | { type: 'Strip'; strip_left: boolean; strip_right: boolean }
  | { type: 'Prepend'; prepend: string }
  | { type: 'NFC' }
  | BertJson;

interface BertJson {
  type: 'BertNormalizer';
  clean_text: boolean;
  handle_chinese_chars: boolean;
  strip_accents: boolean | null;
  lowercase: boolean;
}

/** One step, as plain data whose bulk is in shared memory. */
export type NormalizerTables =
  | ({ type: 'Precompiled' } & PrecompiledTables)
  | { type: 'Replace'; pattern: string; content: string }
  | { type: 'Strip'; left: boolean; right: boolean }
  | { type: 'Prepend'; text: string }
  | { type: 'NFC' }
  | BertJson;

interface PrecompiledTables {
  /** Rules for one code point. */
  single: Map<number, string>;
  several: Map<string, string>;
  traits: Uint8Array;
}

/** The steps of a tokenizer's normaliser, in order. Throws for a kind that is not supported. */
export function normalizerTables(json: NormalizerJson | null): NormalizerTables[] {
  if (!json) return [];
  switch (json.type) {
    case 'Sequence':
      return json.normalizers.flatMap(normalizerTables);
    case 'Precompiled':
      return [
        { type: json.type, ...precompiledTables(readCharsmap(Buffer.from(json.precompiled_charsmap, 'base64'))) },
      ];
    case 'Replace': {
      const pattern = 'Regex' in json.pattern ? json.pattern.Regex : RegExp.escape(json.pattern.String);
      return [{ type: json.type, pattern, content: json.content }];
    }
    case 'Strip':
      return [{ type: json.type, left: json.strip_left, right: json.strip_right }];
    case 'Prepend':
      return [{ type: json.type, text: json.prepend }];
    case 'NFC':
      return [json];
    case 'BertNormalizer':
      return [json];
    default:
      throw new Error(`A tokenizer with the normaliser ${(json as { type: string }).type} is not supported.`);
  }
}

export function normalizerOf(tables: NormalizerTables): Normalizer {
  switch (tables.type) {
    case 'Precompiled':
      return precompiled(tables);
    case 'Replace':
      return replace(tables.pattern, tables.content);
    case 'Strip':
      return strip(tables.left, tables.right);
    case 'Prepend':
      return prepend(tables.text);
    case 'NFC':
      return composed;
    case 'BertNormalizer':
      return bert(tables);
  }
}

/** White space by Unicode. */
export const isWhite = (point: number): boolean =>
  point <= 32 ? point === 32 || (point >= 9 && point <= 13) : point >= 0x85 && whiteSpace.has(point);

const whiteSpace = new Set([0x85, 0xa0, 0x1680, 0x2028, 0x2029, 0x202f, 0x205f, 0x3000]);
for (let point = 0x2000; point <= 0x200a; point++) whiteSpace.add(point);

/** Whether a well-formed text can be normalised in two parts that meet at `index`: between letters, digits or ASCII signs
 *  that no rule changes or looks at together. */
export function cutsNothing(text: string, index: number): boolean {
  const left = Array.from(text.slice(Math.max(0, index - 2), index)).at(-1) ?? '';
  const right = String.fromCodePoint(text.codePointAt(index) ?? 0);
  return isSolid(left) && isSolid(right) && !attaches.test(right) && !prepends.test(left);
}

const isSolid = (character: string): boolean =>
  /^[\p{L}\p{N}!-~]$/u.test(character) && character.normalize('NFKC') === character;

function precompiledTables(rules: Map<string, string>): PrecompiledTables {
  const single = new Map<number, string>();
  const several = new Map<string, string>();
  for (const [key, value] of rules) {
    const point = key.codePointAt(0) ?? 0;
    if (key.length === (point > 0xffff ? 2 : 1)) single.set(point, value);
    else several.set(key, value);
  }
  return { single, several, traits: inSharedMemory(characterTraits(single.keys())) };
}

/**
 * Sentencepiece's rules as Hugging Face applies them: a grapheme of less than 6 bytes in UTF-8 is replaced as a whole by
 * the rule for its shortest beginning that has one; else each code point is replaced by its own rule.
 */
function precompiled({ single, several, traits }: PrecompiledTables): Normalizer {
  return (input, output) => {
    const { length } = input;
    const width = (at: number): number => (((input.units[at] ?? 0) & 0xfc00) === 0xd800 ? 2 : 1);
    const each = (at: number, end: number): void => {
      while (at < end) {
        const next = at + width(at);
        const point = input.codePoint(at);
        const rule = (traits[point] ?? 0) & HAS_RULE ? single.get(point) : undefined;
        if (rule === undefined) while (at < next) take(input, output, at++);
        else replaceRange(input, output, at, next, rule);
        at = next;
      }
    };
    for (let at = 0; at < length;) {
      const first = input.codePoint(at);
      let end = at + width(at);
      let last = first;
      while (end < length) {
        const next = input.codePoint(end);
        if (!joins(traits, last, next)) break;
        end += width(end);
        last = next;
      }
      const rule = end > at + width(at) ? ruleForAll(input, at, end) : undefined;
      if (rule === undefined) each(at, end);
      else replaceRange(input, output, at, end, rule);
      at = end;
    }
  };

  function ruleForAll(input: Aligned, from: number, end: number): string | undefined {
    if (end - from > 5) return undefined;
    const grapheme = String.fromCharCode(...input.units.subarray(from, end));
    if (Buffer.byteLength(grapheme) > 5) return undefined;
    for (let length = 1; length <= grapheme.length; length++) {
      const rule = length === 1 ? single.get(input.codePoint(from)) : several.get(grapheme.slice(0, length));
      if (rule !== undefined) return rule;
    }
    return undefined;
  }
}

const HAS_RULE = 1;
const ATTACHES = 2;
const PREPENDS = 4;
const BREAKS = 8;

/** For most characters one look at this table is all that happens. */
function characterTraits(withRule: Iterable<number>): Uint8Array {
  const traits = new Uint8Array(0x110000);
  for (const [from, to] of [
    [0, 0x20000],
    [0xe0000, 0xe1000],
  ] as const) {
    for (let point = from; point < to; point++) {
      const character = String.fromCodePoint(point);
      if (attaches.test(character)) traits[point] = ATTACHES;
      else if (prepends.test(character)) traits[point] = PREPENDS;
      else if (breaks.test(character)) traits[point] = BREAKS;
    }
  }
  for (const point of withRule) traits[point] = (traits[point] ?? 0) | HAS_RULE;
  return traits;
}

/** Whether two neighbours are of one grapheme, as far as that matters below 6 bytes: no Hangul, flags or emoji. */
function joins(traits: Uint8Array, before: number, after: number): boolean {
  const left = traits[before] ?? 0;
  const right = traits[after] ?? 0;
  if (left & BREAKS) return before === 13 && after === 10;
  return (right & ATTACHES) !== 0 || ((left & PREPENDS) !== 0 && !(right & BREAKS));
}

/** Extend, ZWJ and SpacingMark of Unicode's grapheme breaks (UAX 29): its exceptions stand in the look-ahead. */
const attaches =
  /(?![\u102b\u102c\u1038\u1062-\u1064\u1067-\u106d\u1083\u1087-\u108c\u108f\u109a-\u109c\u1a61\u1a63\u1a64\uaa7b\uaa7d\u{11720}\u{11721}])[\p{Grapheme_Extend}\p{Mc}\p{Emoji_Modifier}\u200d\u0e33\u0eb3]/u;
const prepends = /[\u0600-\u0605\u06dd\u070f\u0890\u0891\u08e2\u0d4e\u{110bd}\u{110cd}\u{111c2}\u{111c3}]/u;
const breaks = /[\p{Cc}\p{Zl}\p{Zp}]|(?!\p{Grapheme_Extend})\p{Cf}/u;

const take = (input: Aligned, output: Aligned, index: number): void =>
  output.push(input.units[index] ?? 0, input.starts[index] ?? 0, input.ends[index] ?? 0);

function replaceRange(input: Aligned, output: Aligned, from: number, to: number, text: string): void {
  output.pushAll(text, input.starts[from] ?? 0, input.ends[to - 1] ?? 0);
}

/** The new text takes the range of the last character that it replaces. */
function replace(pattern: string, content: string): Normalizer {
  const expression = new RegExp(pattern, 'gu');
  return (input, output) => {
    let done = 0;
    for (const match of input.toString().matchAll(expression)) {
      for (; done < match.index; done++) take(input, output, done);
      const end = match.index + match[0].length;
      if (end > done) output.pushAll(content, input.starts[end - 1] ?? 0, input.ends[end - 1] ?? 0);
      done = end;
    }
    for (; done < input.length; done++) take(input, output, done);
  };
}

/** What is put in front has the range of the first character. */
const prepend =
  (text: string): Normalizer =>
  (input, output) => {
    if (input.length > 0) output.pushAll(text, input.starts[0] ?? 0, input.ends[0] ?? 0);
    for (let at = 0; at < input.length; at++) take(input, output, at);
  };

/** Unicode's composition, within a character and its marks or a run of Hangul letters; what changes has the range of all of
 *  them. Nothing composes beyond. */
const composed: Normalizer = (input, output) => {
  const text = input.toString();
  if (text.normalize('NFC') === text) {
    for (let at = 0; at < input.length; at++) take(input, output, at);
    return;
  }
  for (const { 0: cluster, index } of text.matchAll(/[\u1100-\u11ff\uac00-\ud7af]+\p{M}*|\P{M}\p{M}*|\p{M}+/gu)) {
    const end = index + cluster.length;
    const changed = cluster.normalize('NFC');
    if (changed === cluster) for (let at = index; at < end; at++) take(input, output, at);
    else replaceRange(input, output, index, end, changed);
  }
};

function strip(left: boolean, right: boolean): Normalizer {
  return (input, output) => {
    let from = 0;
    let to = input.length;
    if (left) while (from < to && isWhite(input.units[from] ?? 0)) from++;
    if (right) while (to > from && isWhite(input.units[to - 1] ?? 0)) to--;
    for (; from < to; from++) take(input, output, from);
  };
}

/** BERT's cleaning: no control characters, spaces for white space and around Chinese characters, no accents, lower case. */
function bert(json: BertJson): Normalizer {
  const accents = json.strip_accents ?? json.lowercase;
  const convert = (point: number): string => {
    let text = String.fromCodePoint(point);
    if (json.clean_text) {
      if (isWhite(point) && point !== 11 && point !== 12 && point !== 0x85) text = ' ';
      else if (point === 0 || point === 0xfffd || /^[\p{Cc}\p{Cf}\p{Co}]/u.test(text)) return '';
    }
    if (json.handle_chinese_chars && isChinese(point)) text = ` ${text} `;
    if (accents) text = text.normalize('NFD').replace(/\p{Mn}/gu, '');
    return json.lowercase ? [...text].map(character => character.toLowerCase()).join('') : text;
  };
  const known = new Map<number, string>();
  return (input, output) => {
    for (let at = 0; at < input.length;) {
      const point = input.codePoint(at);
      let text = known.get(point);
      if (text === undefined) known.set(point, (text = convert(point)));
      output.pushAll(text, input.starts[at] ?? 0, input.ends[at] ?? 0);
      at += point > 0xffff ? 2 : 1;
    }
  };
}

const isChinese = (point: number): boolean =>
  (point >= 0x4e00 && point <= 0x9fff) ||
  (point >= 0x3400 && point <= 0x4dbf) ||
  (point >= 0x20000 && point <= 0x2a6df) ||
  (point >= 0x2a700 && point <= 0x2b73f) ||
  (point >= 0x2b740 && point <= 0x2b81f) ||
  (point >= 0x2b920 && point <= 0x2ceaf) ||
  (point >= 0xf900 && point <= 0xfaff) ||
  (point >= 0x2f800 && point <= 0x2fa1f);
