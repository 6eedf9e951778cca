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
 * The samples in rows of at most `longestRow` tokens (or one sample, where that is longer), in parts of `learners` rows: as few as
 * have room for all, and each sample in the row that has the fewest tokens, the longest first, so that rows are about as long.
 */
export function packed(
  samples: readonly Sample[],
  { longestRow, learners }: { longestRow: number; learners: number },
): Part[] {
  const ordered = samples.toSorted((a, b) => b.ids.length - a.ids.length);
  const room = Math.max(ordered[0]?.ids.length ?? 0, longestRow);
  const tokens = samples.reduce((sum, { ids }) => sum + ids.length, 0);
  let parts = Math.ceil(tokens / room / learners);
  let rows = spread(ordered, parts * learners);
  while (rows.some(({ length }) => length > room)) rows = spread(ordered, ++parts * learners);
  return Array.from({ length: Math.ceil(rows.length / learners) }, (_, i) =>
    partOf(rows.slice(i * learners, (i + 1) * learners)),
  );
}

interface Row {
  samples: Sample[];
  length: number;
}

/** Rows without samples are left out. */
function spread(samples: readonly Sample[], count: number): Row[] {
  const rows = Array.from({ length: count }, (): Row => ({ samples: [], length: 0 }));
  for (const sample of samples) {
    const row = rows.reduce((least, other) => (other.length < least.length ? other : least));
    row.samples.push(sample);
    row.length += sample.ids.length;
  }
  return rows.filter(({ length }) => length > 0);
}

function partOf(rows: readonly Row[]): Part {
  const tokens = Math.ceil(Math.max(...rows.map(({ length }) => length)) / rowStep) * rowStep;
  const size = rows.length * tokens;
  const [ids, positions, texts] = [new BigInt64Array(size), new BigInt64Array(size), new BigInt64Array(size).fill(-1n)];
  const places: bigint[] = [];
  const targets: bigint[] = [];
  let text = 0n;
  for (const [i, row] of rows.entries()) {
    let at = i * tokens;
    for (const { ids: own, learnt } of row.samples) {
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
