// Which layout of sessions and which size of batch is the fastest on this machine, for each load: the ceiling to compare with.
import { type BareSession, formBatches, startBareSession } from './bare-session.ts';
import type { BenchText, TextKind } from './texts.ts';

export interface Cell {
  kind: TextKind;
  callers: number;
}

export interface Ceiling {
  session: BareSession;
  maxBatchTexts: number;
  maxBatchTokens: number;
  tokensPerSecond: number;
}

/** One session of one thread, as many of them as cores, and one session of as many threads. */
export async function startSessions(graphPath: string, cores: number): Promise<BareSession[]> {
  const layouts = [
    { sessions: 1, threads: 1 },
    { sessions: cores, threads: 1 },
    { sessions: 1, threads: cores },
  ];
  // Alone on one core, the three are the same.
  return Promise.all(layouts.slice(0, cores === 1 ? 1 : 3).map(layout => startBareSession(graphPath, layout)));
}

/** Tries every layout and budget on some of the texts, for about `seconds` each. */
export async function findCeiling(
  sessions: readonly BareSession[],
  { kind, callers, texts, seconds }: Cell & { texts: readonly BenchText[]; seconds: number },
): Promise<Ceiling> {
  let best: Ceiling | undefined;
  for (const session of sessions) {
    // One caller has one text open, so a second session would have nothing to do.
    if (session.layout.sessions > callers) continue;
    const maxBatchTexts = Math.ceil(callers / session.layout.sessions);
    const tried = new Set<string>();
    for (const maxBatchTokens of [512, 1024, 2048]) {
      const wanted = Math.max(
        kind === 'short' ? 2 * callers : 8,
        (seconds * (best?.tokensPerSecond ?? 2000)) / meanTokens(texts),
      );
      const ids = cycle(texts, Math.min(Math.round(wanted), 2048)).map(text => text.ids);
      const batches = formBatches(ids, { maxBatchTexts, maxBatchTokens }).join('|');
      if (tried.has(batches)) continue;
      tried.add(batches);
      const result = await session.run({ ids, maxBatchTexts, maxBatchTokens });
      const tokensPerSecond = ids.reduce((sum, { length }) => sum + length, 0) / result.seconds;
      if (!best || tokensPerSecond > best.tokensPerSecond)
        best = { session, maxBatchTexts, maxBatchTokens, tokensPerSecond };
      // Far behind with one size, it will not be ahead with another.
      else if (tokensPerSecond < 0.7 * best.tokensPerSecond) break;
    }
  }
  if (!best) throw new Error('no layout of sessions fits');
  return best;
}

/** `count` texts, from the start again when there are fewer. */
export function cycle(texts: readonly BenchText[], count: number): BenchText[] {
  return Array.from({ length: count }, (_, index) => texts[index % texts.length]).filter(text => text !== undefined);
}

export const meanTokens = (texts: readonly BenchText[]): number =>
  texts.reduce((sum, { ids }) => sum + ids.length, 0) / texts.length;
