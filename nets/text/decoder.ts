/** From tokens back to text, as Hugging Face's decoders do it. */
import { bytesOfPiece } from './bytes.ts';

export type DecoderJson =
  | { type: 'Metaspace'; replacement: string; add_prefix_space?: boolean; prepend_scheme?: string }
  | { type: 'WordPiece'; prefix: string; cleanup: boolean }
  | { type: 'ByteLevel' }
  | { type: 'Replace'; pattern: { String: string }; content: string }
  | { type: 'ByteFallback' }
  | { type: 'Fuse' }
  | { type: 'Strip'; content: string; start: number; stop: number }
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
  if (kind?.type === 'ByteLevel') return ids => Buffer.concat(piecesOf(ids).map(bytesOfPiece)).toString();
  if (kind?.type === 'Sequence') {
    const steps = kind.decoders.map(decoderStep);
    return ids => steps.reduce((parts, step) => step(parts), piecesOf(ids)).join('');
  }
  throw new Error(`A tokenizer with the decoder ${json?.type} is not supported.`);
}

/** A step of a sequence: from pieces to pieces. */
function decoderStep(json: DecoderJson): (pieces: string[]) => string[] {
  switch (json.type) {
    case 'Replace':
      return pieces => pieces.map(piece => piece.replaceAll(json.pattern.String, json.content));
    case 'ByteFallback':
      return withBytes;
    case 'Fuse':
      return pieces => [pieces.join('')];
    case 'Strip':
      return pieces =>
        pieces.map(piece => {
          let start = 0;
          while (start < json.start && piece[start] === json.content) start++;
          let end = piece.length;
          while (piece.length - end < json.stop && end > start && piece[end - 1] === json.content) end--;
          return piece.slice(start, end);
        });
    default:
      throw new Error(`A tokenizer with the decoder ${json.type} in a sequence is not supported.`);
  }
}

/** Runs of pieces like <0xE2> are the characters of these bytes, or U+FFFD for each byte if they are none. */
function withBytes(pieces: string[]): string[] {
  const result: string[] = [];
  let bytes: number[] = [];
  const flush = (): void => {
    if (bytes.length === 0) return;
    const text = Buffer.from(bytes).toString();
    result.push(Buffer.from(text).equals(Buffer.from(bytes)) ? text : '\ufffd'.repeat(bytes.length));
    bytes = [];
  };
  for (const piece of pieces) {
    const [, byte] = /^<0x([0-9A-F]{2})>$/.exec(piece) ?? [];
    if (byte) bytes.push(parseInt(byte, 16));
    else {
      flush();
      result.push(piece);
    }
  }
  flush();
  return result;
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
