/** From tokens back to text, as Hugging Face's decoders do it. */

export type DecoderJson =
  | { type: 'Metaspace'; replacement: string; add_prefix_space?: boolean; prepend_scheme?: string }
  | { type: 'WordPiece'; prefix: string; cleanup: boolean }
  | { type: 'Sequence'; decoders: DecoderJson[] };

export type Decode = (ids: Iterable<number>) => string;

/** Special and unknown ids are left out. Throws for a kind that is not supported. */
export function decoder(json: DecoderJson | null, pieces: readonly string[], special: ReadonlySet<number>): Decode {
  const kind = json?.type === 'Sequence' && json.decoders.length === 1 ? (json.decoders[0] ?? null) : json;
  const piecesOf = (ids: Iterable<number>): string[] =>
    [...ids].filter(id => !special.has(id)).flatMap(id => pieces[id] ?? []);
  if (kind?.type === 'Metaspace') {
    const scheme = kind.prepend_scheme ?? (kind.add_prefix_space === false ? 'never' : 'always');
    return ids => {
      const text = piecesOf(ids).join('').replaceAll(kind.replacement, ' ');
      return scheme !== 'never' && text.startsWith(' ') ? text.slice(1) : text;
    };
  }
  if (kind?.type === 'WordPiece') {
    return ids =>
      piecesOf(ids)
        .map((piece, i) => {
          const joined =
            i === 0 ? piece : piece.startsWith(kind.prefix) ? piece.slice(kind.prefix.length) : ` ${piece}`;
          return kind.cleanup ? cleaned(joined) : joined;
        })
        .join('');
  }
  throw new Error(`A tokenizer with the decoder ${json?.type} is not supported.`);
}

function cleaned(piece: string): string {
  return piece
    .replace(/ ([.?!,])/g, '$1')
    .replaceAll(" ' ", "'")
    .replaceAll(" n't", "n't")
    .replaceAll(" 'm", "'m")
    .replaceAll(' do not', " don't")
    .replace(/ '(s|ve|re)/g, "'$1");
}
