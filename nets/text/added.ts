/** Added tokens ("<s>", "[SEP]"): strings that become one token wherever they stand in a text, as in Hugging Face's. */

export interface AddedTokenJson {
  id: number;
  content: string;
  single_word: boolean;
  lstrip: boolean;
  rstrip: boolean;
  special: boolean;
  normalized?: boolean;
}

/** A stretch of the text: an added token, or, without `id`, what stands between them. */
export interface Part {
  start: number;
  end: number;
  id?: number;
}

/** The division of a text at added tokens: the leftmost first, of those the longest. Parts are never empty. */
export function partsAt(tokens: readonly AddedTokenJson[]): (text: string) => Generator<Part> {
  const byContent = new Map(tokens.filter(({ content }) => content).map(token => [token.content, token]));
  const contents = [...byContent.keys()].toSorted((a, b) => b.length - a.length);
  const pattern = contents.map(content => RegExp.escape(content)).join('|');
  return function* (text) {
    let done = 0;
    const matches = pattern ? text.matchAll(new RegExp(pattern, 'gu')) : [];
    for (const match of matches) {
      const token = byContent.get(match[0]);
      let start = match.index;
      let end = start + match[0].length;
      if (
        !token ||
        (token.single_word &&
          (wordBefore.test(text.slice(Math.max(0, start - 2), start)) || wordAfter.test(text.slice(end, end + 2))))
      )
        continue;
      if (token.lstrip) while (start > done && white.test(text[start - 1] ?? '')) start--;
      if (token.rstrip) while (white.test(text[end] ?? '')) end++;
      start = Math.max(start, done);
      if (done < start) yield { start: done, end: start };
      yield { start, end, id: token.id };
      done = end;
    }
    if (done < text.length) yield { start: done, end: text.length };
  };
}

const white = /\p{White_Space}/u;
const wordBefore = /[\p{L}\p{N}_\p{M}]$/u;
const wordAfter = /^[\p{L}\p{N}_\p{M}]/u;
