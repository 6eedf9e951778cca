// Samples of a step as rows of tokens: several short ones one behind the other, which don't see each other.
import type { Part } from './network.ts';

/** A text, and which of its tokens are to be learnt. */
export interface Sample {
  ids: Int32Array;
  learnt: Uint8Array;
}

/** Rows end at a multiple of this, so that steps have few different shapes. */
const rowStep = 16;

/**
 * The samples in rows of at most `longestRow` tokens (or one sample, where that is longer), the longest first and each into the
 * first row that has room; rows in parts of at most `tokensAtOnce` tokens.
 */
export function packed(
  samples: readonly Sample[],
  { longestRow, tokensAtOnce }: { longestRow: number; tokensAtOnce: number },
): Part[] {
  const longest = samples.reduce((most, { ids }) => Math.max(most, ids.length), 0);
  const room = Math.max(longest, longestRow);
  const rows: { samples: Sample[]; length: number }[] = [];
  for (const sample of samples.toSorted((a, b) => b.ids.length - a.ids.length)) {
    const row = rows.find(({ length }) => length + sample.ids.length <= room);
    if (row) {
      row.samples.push(sample);
      row.length += sample.ids.length;
    } else rows.push({ samples: [sample], length: sample.ids.length });
  }
  const fullest = rows.reduce((most, { length }) => Math.max(most, length), 0);
  const tokens = Math.ceil(fullest / rowStep) * rowStep;
  const rowsOfPart = Math.max(1, Math.floor(tokensAtOnce / tokens));
  return Array.from({ length: Math.ceil(rows.length / rowsOfPart) }, (_, i) =>
    partOf(
      rows.slice(i * rowsOfPart, (i + 1) * rowsOfPart).map(row => row.samples),
      tokens,
    ),
  );
}

function partOf(rows: readonly Sample[][], tokens: number): Part {
  const size = rows.length * tokens;
  const [ids, positions, texts] = [new BigInt64Array(size), new BigInt64Array(size), new BigInt64Array(size).fill(-1n)];
  const places: bigint[] = [];
  const targets: bigint[] = [];
  let text = 0n;
  for (const [i, row] of rows.entries()) {
    let at = i * tokens;
    for (const { ids: own, learnt } of row) {
      for (const [position, id] of own.entries()) {
        ids[at + position] = BigInt(id);
        positions[at + position] = BigInt(position);
        texts[at + position] = text;
        // What follows a token is learnt at its place; nothing comes before the first.
        if (position === 0 || !learnt[position]) continue;
        places.push(BigInt(at + position - 1));
        targets.push(BigInt(id));
      }
      at += own.length;
      text++;
    }
  }
  return {
    batch: rows.length,
    tokens,
    ids,
    positions,
    texts,
    places: BigInt64Array.from(places),
    targets: BigInt64Array.from(targets),
    weights: new Float32Array(places.length).fill(1),
  };
}

/** Tokens of a part that are learnt. */
export const answersOf = (part: Part): number => part.places.length;
