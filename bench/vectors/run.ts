// `npm run bench:vectors`: Vectorium against the bare session and against other programs, on the same texts in one run.
// See bench/README.md for what is measured and how.
import { mkdir, writeFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { availableCores } from '@vectorium/engine';
import { compileEncoder, loadTokenizer } from '@vectorium/nets';
import type { BareSession } from './bare-session.ts';
import { type Ceiling, type Cell, cycle, findCeiling, meanTokens, startSessions } from './ceiling.ts';
import { measureLatency } from './latency.ts';
import { callAll, callOnce } from './load.ts';
import { type Peer, peers, type Running, type Variant } from './peers.ts';
import { memoryOf } from './processes.ts';
import { type Absent, BARE, report, type Sample, type SystemResult } from './report.ts';
import { soak } from './soak.ts';
import { type BenchText, makeTexts, TEXT_KINDS, type TextKind } from './texts.ts';
import { measureStart, modelFolder, startVectorium } from './vectorium.ts';

const { values: options } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    rounds: { type: 'string' },
    seconds: { type: 'string' },
    only: { type: 'string' },
    soak: { type: 'string' },
  },
});
const rounds = Number(options.rounds ?? (options.quick ? 1 : 3));
const seconds = Number(options.seconds ?? (options.quick ? 0.7 : 2));
/** The fewest texts of a cell, in times of its callers. */
const waves = options.quick ? 1 : 3;
const results = new URL('../results/', import.meta.url).pathname;
const say = (line: string) => console.error(`${(performance.now() / 60_000).toFixed(1)} min  ${line}`);

const cores = availableCores();
const folder = await modelFolder();
const graph = await compileEncoder(folder, { pooling: 'mean' });
const texts = await makeTexts(await loadTokenizer(folder));
await mkdir(results, { recursive: true });
try {
  if (options.soak) await runSoak(Number(options.soak));
  else await compare();
} catch (error) {
  console.error(error);
  process.exitCode = 1;
} finally {
  // What is still open belongs to programs that are stopped with this one.
  process.exit();
}

async function runSoak(soakSeconds: number): Promise<void> {
  const table = await soak(texts.mixed, soakSeconds);
  const title = '# Vectorium under the same load for many minutes\n\n64 callers, texts of 16 to 512 tokens';
  await writeFile(`${results}vectors-soak.md`, `${title} (${new Date().toISOString().slice(0, 10)}).\n\n${table}\n`);
}

interface Job extends Cell {
  ceiling: Ceiling;
  texts: BenchText[];
}

interface System extends Running {
  name: string;
  how: string;
}

async function compare(): Promise<void> {
  const started = new Date();
  say('starting Vectorium on an existing folder');
  const starts = await measureStart(options.quick ? 1 : 3);
  const sessions = await startSessions(graph.path, cores);
  const vectorium = await startVectorium();
  const own = { program: vectorium.program, version: 'this commit' };
  const systems: System[] = [
    { ...own, name: 'Vectorium', how: '/v1/embeddings, base64', door: vectorium.doors.openai },
    { ...own, name: 'Vectorium, JSON', how: '/vectorize, numbers', door: vectorium.doors.native },
  ];
  const absent: Absent[] = [];
  for (const peer of peers(folder, cores)) {
    if (options.only && !options.only.split(',').includes(peer.name)) continue;
    say(`starting ${peer.name}`);
    const system = await startFastest(peer).catch((error: Error) => ({ name: peer.name, why: error.message }));
    if ('why' in system) absent.push(system);
    else systems.push(system);
  }
  const reference = sessions[0];
  if (!reference) throw new Error('there is no session');
  const agreements: number[] = [];
  for (const system of systems) agreements.push(await agreement(system, reference));

  say('looking for the ceiling');
  const cells: Job[] = [];
  for (const kind of Object.keys(TEXT_KINDS) as TextKind[])
    for (const callers of [1, 8, 64]) {
      const ceiling = await findCeiling(sessions, { kind, callers, texts: texts[kind], seconds: seconds / 4 });
      const least = Math.min(waves * callers, texts[kind].length);
      const lasting = Math.round((seconds * ceiling.tokensPerSecond) / meanTokens(texts[kind]));
      cells.push({ kind, callers, ceiling, texts: cycle(texts[kind], Math.max(least, lasting)) });
    }

  say('the latency of one caller');
  const latency = await measureLatency(vectorium, sessions, {
    texts: texts.short,
    graphPath: graph.path,
    folder,
    blocks: options.quick ? 4 : 12,
  });

  const samples: Sample[] = [];
  for (let round = 0; round < rounds; round++)
    for (const [index, cell] of cells.entries()) {
      say(`round ${round + 1} of ${rounds}: ${cell.kind} texts, ${cell.callers} callers`);
      samples.push({ ...cell, round, system: BARE, ...(await runBare(cell)) });
      // Another one begins every time, so that none is always the first after a rest.
      for (let turn = 0; turn < systems.length; turn++) {
        const system = systems[(turn + round + index) % systems.length];
        if (!system || absent.some(({ name }) => name === system.name)) continue;
        try {
          samples.push({ ...cell, round, system: system.name, ...(await runSystem(system, cell)) });
        } catch (error) {
          const why = system.program.ending() ?? String(error);
          absent.push({
            name: system.name,
            why: `stopped in round ${round + 1}, ${cell.kind} texts, ${cell.callers} callers: ${why}`,
          });
        }
      }
    }

  const described: SystemResult[] = [];
  for (const [index, system] of systems.entries()) {
    say(`${system.name}: memory and batches in its own process`);
    described.push({
      name: system.name,
      how: system.how,
      version: system.version,
      peakBytes: (await memoryOf(system.program.pid))?.peakBytes ?? null,
      agreement: agreements[index] ?? Number.NaN,
      offline: options.quick ? null : await bestOffline(system, cells),
    });
  }
  const sessionPeaks = await Promise.all(
    sessions.map(async ({ layout, pid }) => ({ layout, peakBytes: (await memoryOf(pid))?.peakBytes ?? null })),
  );
  const ceilings = cells.map(({ kind, callers, ceiling }) => {
    const { session, maxBatchTokens } = ceiling;
    return { kind, callers, layout: session.layout, maxBatchTokens };
  });
  await vectorium.stop();
  const ran = { started, cores, rounds, graph, samples, systems: described, absent };
  const text = report({ ...ran, latency, starts, ceilings, sessionPeaks });
  console.log(text);
  if (options.quick) return;
  await writeFile(`${results}vectors.md`, text);
  say(`written to ${results}vectors.md`);
}

/** Starts the variant that is the fastest with 64 callers and mixed texts; in a quick run the first that starts. */
async function startFastest(peer: Peer): Promise<System> {
  let best: { variant: Variant; seconds: number } | undefined;
  let failure: unknown;
  const tried: string[] = [];
  for (const variant of peer.variants) {
    try {
      const running = await variant.start();
      if (options.quick) return { name: peer.name, how: variant.how, ...running };
      const some = texts.mixed.slice(0, 64).map(({ text }) => text);
      await callAll(running.door, some.slice(0, 8), 8);
      const load = await callAll(running.door, some, 64);
      await running.program.stop();
      tried.push(`${variant.how}: ${load.seconds.toFixed(1)} s`);
      if (!best || load.seconds < best.seconds) best = { variant, seconds: load.seconds };
    } catch (error) {
      failure = error;
    }
  }
  if (!best) throw failure;
  say(`${peer.name} tried: ${tried.join('; ')}`);
  return { name: peer.name, how: best.variant.how, ...(await best.variant.start()) };
}

/** The lowest cosine between the system's vectors and the bare session's, over texts of every kind. Also warms it up. */
async function agreement(system: System, session: BareSession): Promise<number> {
  const some = Object.values(texts).flatMap(list => list.slice(0, 4));
  const bare = await session.run({ ids: some.map(({ ids }) => ids), maxBatchTexts: 1, maxBatchTokens: 512 });
  const cosines: number[] = [];
  for (const [index, { text }] of some.entries())
    cosines.push(cosine(await callOnce(system.door, text), bare.vectors[index] ?? new Float32Array()));
  return Math.min(...cosines);
}

function cosine(a: Float32Array, b: Float32Array): number {
  if (a.length !== b.length) return Number.NaN;
  const dot = a.reduce((sum, value, index) => sum + value * (b[index] ?? 0), 0);
  return dot / Math.hypot(...a) / Math.hypot(...b);
}

type Measured = Pick<Sample, 'seconds' | 'tokens' | 'count' | 'latenciesMs'>;

async function runBare({ ceiling, texts: some, callers }: Job): Promise<Measured> {
  const { session, maxBatchTexts, maxBatchTokens } = ceiling;
  const result = await session.run({ ids: some.map(({ ids }) => ids), maxBatchTexts, maxBatchTokens });
  return { ...amount(some), seconds: result.seconds, latenciesMs: callers === 1 ? result.runMs : [] };
}

/** A slow system is given no more texts after four times the seconds, and has then done only a part of them. */
async function runSystem(system: System, cell: Job): Promise<Measured> {
  await callAll(
    system.door,
    cell.texts.slice(0, 2).map(({ text }) => text),
    2,
  );
  const given: BenchText[] = [];
  const end = performance.now() + 4000 * seconds;
  const inTime = function* () {
    for (const each of cell.texts) {
      if (performance.now() > end && given.length >= cell.callers) return;
      given.push(each);
      yield each.text;
    }
  };
  const load = await callAll(system.door, inTime(), cell.callers);
  return { ...amount(given), ...load };
}

function amount(some: readonly BenchText[]): { count: number; tokens: number } {
  return { count: some.length, tokens: some.reduce((sum, { ids }) => sum + ids.length, 0) };
}

/** Tokens a second of a library's own call with all texts at once, the better of two sizes of batch; null without one. */
async function bestOffline(system: System, cells: readonly Job[]): Promise<Record<string, number> | null> {
  const { offline } = system;
  if (!offline) return null;
  const rates: Record<string, number> = {};
  for (const cell of cells.filter(({ callers }) => callers === 8)) {
    const { tokens } = amount(cell.texts);
    for (const batchSize of [8, 32]) {
      const rate =
        tokens /
        (await offline(
          cell.texts.map(({ text }) => text),
          batchSize,
        ));
      rates[cell.kind] = Math.max(rates[cell.kind] ?? 0, rate);
    }
  }
  return rates;
}
