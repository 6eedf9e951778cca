// What the server adds to one short text of one caller: against the session alone, and against a bare route around it.
import type { BareSession } from './bare-session.ts';
import { type Door, median, openaiDoor } from './load.ts';
import { startProgram } from './processes.ts';
import { SocketCaller } from './socket-caller.ts';
import type { BenchText } from './texts.ts';
import type { Vectorium } from './vectorium.ts';

const blockTexts = 60;
const coldTexts = 10;

/** Medians in milliseconds. */
export interface Latency {
  session: number;
  route: number;
  limited: number;
  unlimited: number;
}

export async function measureLatency(
  vectorium: Vectorium,
  sessions: readonly BareSession[],
  {
    texts,
    graphPath,
    folder,
    blocks,
  }: { texts: readonly BenchText[]; graphPath: string; folder: string; blocks: number },
): Promise<Latency> {
  const program = await startProgram(
    [process.execPath, new URL('bare-route.ts', import.meta.url).pathname, graphPath, folder],
    { ready: line => line.startsWith('{"url"') },
  );
  const { url } = JSON.parse(program.readyLine) as { url: string };
  const doors: Door[] = [openaiDoor(url, { model: '' }), vectorium.doors.openai, vectorium.unlimited];
  const measured = doors.map((): number[] => []);
  const single = sessions.filter(({ layout }) => layout.sessions === 1);
  const runs = single.map((): number[] => []);
  // Short blocks of each in turn, so that whatever else the machine does falls on all alike; the first block warms up, and
  // in each block the first calls, in which one program takes the processor's caches from another.
  for (let block = 0; block <= blocks; block++) {
    const some = Array.from(
      { length: blockTexts },
      (_, index) => texts[(block * blockTexts + index) % texts.length],
    ).filter(text => text !== undefined);
    for (const [number, session] of single.entries()) {
      const { runMs } = await session.run({ ids: some.map(({ ids }) => ids), maxBatchTexts: 1, maxBatchTokens: 512 });
      if (block > 0) runs[number]?.push(...runMs.slice(coldTexts));
    }
    for (const [number, door] of doors.entries()) {
      const caller = await SocketCaller.open(door);
      const latenciesMs: number[] = [];
      for (const { text } of some) latenciesMs.push(await caller.call(door.body(text)));
      caller.close();
      if (block > 0) measured[number]?.push(...latenciesMs.slice(coldTexts));
    }
  }
  await program.stop();
  const [route = Number.NaN, limited = Number.NaN, unlimited = Number.NaN] = measured.map(median);
  return { session: Math.min(...runs.map(median)), route, limited, unlimited };
}
