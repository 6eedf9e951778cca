// Turns the samples into the Markdown page that is kept in bench/results.
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { cpus, release, totalmem } from 'node:os';
import type { EncoderGraph } from '@vectorium/nets';
import type { Layout } from './bare-session.ts';
import type { Cell } from './ceiling.ts';
import type { Latency } from './latency.ts';
import { median, percentile } from './load.ts';
import { TEXT_KINDS, type TextKind } from './texts.ts';
import type { Start } from './vectorium.ts';

/** One system under one load in one round. */
export interface Sample extends Cell {
  round: number;
  system: string;
  seconds: number;
  tokens: number;
  count: number;
  latenciesMs: number[];
}
export interface SystemResult {
  name: string;
  how: string;
  version: string;
  peakBytes: number | null;
  /** The lowest cosine with the bare session's vectors. */
  agreement: number;
  /** Tokens a second of its own call with all texts at once. */
  offline: Record<string, number> | null;
}
export interface Absent {
  name: string;
  why: string;
}
export interface Results {
  started: Date;
  cores: number;
  rounds: number;
  samples: Sample[];
  systems: SystemResult[];
  absent: Absent[];
  latency: Latency;
  starts: Start[];
  /** Which layout and batches were the ceiling of each load. */
  ceilings: (Cell & { layout: Layout; maxBatchTokens: number })[];
  sessionPeaks: { layout: Layout; peakBytes: number | null }[];
  graph: EncoderGraph;
}

export const BARE = 'bare session';
const OWN = 'Vectorium';

export function report(results: Results): string {
  const { started, rounds, latency, starts } = results;
  const minutes = ((Date.now() - started.getTime()) / 60_000).toFixed(0);
  const startLine = starts
    .map(
      ({ seconds, idleBytes }) => `${seconds.toFixed(2)} s${idleBytes === null ? '' : `, ${megabytes(idleBytes)} MB`}`,
    )
    .join(' · ');
  return `# Vectors a second

\`npm run bench:vectors${process.argv
    .slice(2)
    .map(each => ` ${each}`)
    .join(
      '',
    )}\` on ${started.toISOString().slice(0, 10)}, ${minutes} minutes. What is measured and how: [README](../README.md).

${machine(results)}

## Tokens a second

Median of ${rounds} round${rounds === 1 ? '' : 's'}. The last lines divide Vectorium's rate (\`/v1/embeddings\`, limits and money on) by each other one's: the median of the rounds' ratios. Above 1, Vectorium is faster.

${rateTable(results)}

## One caller, ${TEXT_KINDS.short}

| | p50 |
|---|--:|
| ONNX Runtime's run alone | ${ms(latency.session)} |
| a bare Fastify route around it: tokenizer, session, base64 | ${ms(latency.route)} |
| Vectorium, administrator's key: neither limits nor money | ${ms(latency.unlimited)} |
| Vectorium, limits and money on | ${ms(latency.limited)} |

Vectorium with limits and money is ${ms(latency.limited - latency.session)} above the session alone; without them ${ms(latency.unlimited - latency.route)} above the bare route.

## Start and memory

Started with an existing data folder until \`/livez\` answered, and resident memory three seconds later, without a model: ${startLine}.

${memoryTable(results)}

## Everything

Latencies are those of all rounds together; the bare session has them where one caller asks.

${detailTable(results)}

## What ran

${systemsTable(results)}

${results.absent.map(({ name, why }) => `- **${name} did not run**: ${why}`).join('\n')}

Ceiling: ${ceilingText(results)}.

${offlineText(results)}
`;
}

const ms = (value: number): string => `${value.toFixed(2)} ms`;
const megabytes = (bytes: number): string => Math.round(bytes / 1e6).toString();
const shownPeak = (peak: number | null): string => (peak === null ? 'not known here' : megabytes(peak));
const row = (cells: readonly (string | number)[]): string => `| ${cells.join(' | ')} |`;
const table = (head: readonly string[], lines: readonly (readonly (string | number)[])[]): string =>
  [row(head), row(head.map((_, index) => (index === 0 ? '---' : '--:'))), ...lines.map(row)].join('\n');
const nameOf = ({ sessions, threads }: Layout): string =>
  `${sessions} session${sessions === 1 ? '' : 's'} of ${threads} thread${threads === 1 ? '' : 's'}`;

function machine({ cores, graph }: Results): string {
  const require = createRequire(import.meta.url);
  const { version } = JSON.parse(readFileSync(require.resolve('onnxruntime-node/package.json'), 'utf8')) as {
    version: string;
  };
  const commit = execFileSync('git', ['describe', '--always', '--dirty'], { cwd: import.meta.dirname })
    .toString()
    .trim();
  return `Machine: ${cpus()[0]?.model.trim() ?? 'unknown'}, ${cores} cores, ${Math.round(totalmem() / 2 ** 30)} GB, ${process.platform} ${release()} ${process.arch}; Node ${process.versions.node}, ONNX Runtime ${version}; Vectorium at ${commit}. Model: all-MiniLM-L6-v2, ${graph.precision}, ${megabytes(graph.weightBytes)} MB of weights.`;
}

function loads({ samples }: Results): Cell[] {
  const keys = new Map(samples.map(({ kind, callers }) => [`${kind} ${callers}`, { kind, callers }]));
  return [...keys.values()];
}

function samplesOf({ samples }: Results, { kind, callers }: Cell, system: string): Sample[] {
  return samples.filter(each => each.kind === kind && each.callers === callers && each.system === system);
}

const rate = ({ tokens, seconds }: Sample): number => tokens / seconds;

function names({ samples }: Results): string[] {
  return [...new Set(samples.map(({ system }) => system))];
}

function rateTable(results: Results): string {
  const columns = loads(results);
  const heads = columns.map(({ kind, callers }) => `${kind}, ${callers} caller${callers === 1 ? '' : 's'}`);
  const others = names(results).filter(name => name !== OWN);
  const rates = names(results).map(name => [
    name,
    ...columns.map(cell => shown(median(samplesOf(results, cell, name).map(rate)), 0)),
  ]);
  const ratios = others.map(name => [
    `**${OWN} / ${name}**`,
    ...columns.map(cell => shown(ratio(results, cell, name), 2)),
  ]);
  return table(['', ...heads], [...rates, ...ratios]);
}

/** Rounds are compared with themselves, since the machine's other work changes from round to round. */
function ratio(results: Results, cell: Cell, other: string): number {
  const own = samplesOf(results, cell, OWN);
  const ratios = samplesOf(results, cell, other).flatMap(sample => {
    const same = own.find(({ round }) => round === sample.round);
    return same ? [rate(same) / rate(sample)] : [];
  });
  return median(ratios);
}

const shown = (value: number, digits: number): string => (Number.isFinite(value) ? value.toFixed(digits) : '—');

function detailTable(results: Results): string {
  const lines = loads(results).flatMap(cell =>
    names(results).map(name => {
      const samples = samplesOf(results, cell, name);
      const latencies = samples.flatMap(({ latenciesMs }) => latenciesMs);
      return [
        `${cell.kind} (${TEXT_KINDS[cell.kind]})`,
        cell.callers,
        name,
        shown(median(samples.map(rate)), 0),
        shown(median(samples.map(({ count, seconds }) => count / seconds)), 1),
        shown(percentile(latencies, 0.5), 1),
        shown(percentile(latencies, 0.99), 1),
      ];
    }),
  );
  return table(['texts', 'callers', 'system', 'tokens/s', 'texts/s', 'p50 ms', 'p99 ms'], lines);
}

function memoryTable({ systems, sessionPeaks }: Results): string {
  return table(
    ['peak resident memory over the whole run, all its processes', 'MB'],
    [
      ...systems.filter(({ name }) => !name.includes(',')).map(({ name, peakBytes }) => [name, shownPeak(peakBytes)]),
      ...sessionPeaks.map(({ layout, peakBytes }) => [`bare, ${nameOf(layout)}`, shownPeak(peakBytes)]),
    ],
  );
}

function systemsTable({ systems }: Results): string {
  const head = ['system', 'version', 'run as', 'lowest cosine with the bare session'];
  return table(
    head,
    systems.map(({ name, version, how, agreement }) => [name, version, how, shown(agreement, 6)]),
  );
}

function ceilingText({ ceilings }: Results): string {
  return ceilings
    .map(
      ({ kind, callers, layout, maxBatchTokens }) =>
        `${kind}, ${callers}: ${nameOf(layout)}, batches of up to ${maxBatchTokens} tokens`,
    )
    .join(' · ');
}

function offlineText({ systems }: Results): string {
  const lines = systems.flatMap(({ name, offline }) =>
    offline
      ? [[name, ...(Object.keys(TEXT_KINDS) as TextKind[]).map(kind => shown(offline[kind] ?? Number.NaN, 0))]]
      : [],
  );
  if (lines.length === 0) return '';
  return `For information, tokens a second of the libraries' own calls with all texts at once, in process, without HTTP, the better of batches of 8 and of 32:\n\n${table(['', ...Object.keys(TEXT_KINDS)], lines)}`;
}
