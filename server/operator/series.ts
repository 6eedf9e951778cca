// How the server does over time: one point every ten seconds, kept for a day in memory, of this process; and each minute as a row, so that
// a start has the day before it, of all processes that there were. Prometheus is there for more.
import type { Engine } from '@vectorium/engine';
import { type Database, newId } from '../database/index.ts';
import type { App } from '../http/index.ts';

export interface Point {
  atSeconds: number;
  /** The time that it tells of. */
  seconds: number;
  requests: number;
  errors: number;
  p50Ms: number | null;
  p95Ms: number | null;
  p99Ms: number | null;
  tokens: number;
  queuedTokens: number;
  residentBytes: number;
  cpuPercent: number;
  memoryPercent: number;
}

export interface Series {
  readonly intervalSeconds: number;
  /** Counts and times every answer of the app, but those of the console and of streams, which last as long as somebody looks. */
  watch(app: App): void;
  /** Oldest first. */
  points(minutes: number): Point[];
  /** Ends the interval; the timer does it otherwise. */
  take(): Promise<void>;
  close(): Promise<void>;
}

export interface SeriesOptions {
  engine: Pick<Engine, 'status'>;
  machine: { cpuPercent(): number; memory(): { totalBytes: number; availableBytes: number } };
  database: Pick<Database, 'query'>;
  log?: (event: string, fields: object) => void;
  now?: () => number;
}

const intervalSeconds = 10;
const intervalsAMinute = 6;
const daySeconds = 86_400;
const mostPoints = daySeconds / intervalSeconds;
/** Enough for percentiles; what comes beyond replaces what came before by chance. */
const mostTimes = 4096;

/** Reads what processes before this one have written. */
export async function createSeries({
  engine,
  machine,
  database,
  log = () => {},
  now = Date.now,
}: SeriesOptions): Promise<Series> {
  const processId = newId();
  const before = await readMinutes(database, now());
  const points: Point[] = [];
  let interval = newCounts();
  let minute = newCounts();
  let intervals = 0;
  let tokensBefore = tokensOf(engine);
  let writing: Promise<void> = Promise.resolve();

  function take(): Promise<void> {
    const { models, residentBytes } = engine.status();
    const tokens = tokensOf(engine);
    const { totalBytes, availableBytes } = machine.memory();
    // A model that leaves memory takes its count with it.
    const more = Math.max(0, tokens - tokensBefore);
    tokensBefore = tokens;
    interval.tokens += more;
    minute.tokens += more;
    const state = {
      atSeconds: Math.floor(now() / 1000),
      queuedTokens: models.reduce((sum, each) => sum + each.queuedTokens, 0),
      residentBytes,
      cpuPercent: machine.cpuPercent(),
      memoryPercent: Math.round(1000 * (1 - availableBytes / totalBytes)) / 10,
    };
    points.push({ ...state, seconds: intervalSeconds, ...shown(interval) });
    if (points.length > mostPoints) points.shift();
    interval = newCounts();
    if (++intervals % intervalsAMinute === 0) {
      const point = { ...state, seconds: intervalSeconds * intervalsAMinute, ...shown(minute) };
      minute = newCounts();
      writing = writeMinute(database, processId, point).catch((error: unknown) => {
        log('series.not_kept', { message: error instanceof Error ? error.message : String(error) });
      });
    }
    return writing;
  }

  const timer = setInterval(() => void take(), 1000 * intervalSeconds);
  timer.unref();
  return {
    intervalSeconds,
    take,
    watch({ fastify }) {
      fastify.addHook('onResponse', async (request, reply) => {
        const stream = String(reply.getHeader('content-type') ?? '').startsWith('text/event-stream');
        if (stream || request.url.startsWith('/console/')) return;
        for (const counts of [interval, minute]) count(counts, reply.elapsedTime, reply.statusCode >= 500);
      });
    },
    points(minutes) {
      const since = now() / 1000 - 60 * minutes;
      const start = points[0]?.atSeconds ?? Infinity;
      return [...before.filter(({ atSeconds }) => atSeconds < start), ...points].filter(each => each.atSeconds > since);
    },
    async close() {
      clearInterval(timer);
      await writing;
    },
  };
}

interface Counts {
  timesMs: number[];
  requests: number;
  errors: number;
  tokens: number;
}

function newCounts(): Counts {
  return { timesMs: [], requests: 0, errors: 0, tokens: 0 };
}

function count(counts: Counts, ms: number, failed: boolean): void {
  counts.requests++;
  if (failed) counts.errors++;
  if (counts.timesMs.length < mostTimes) counts.timesMs.push(ms);
  else counts.timesMs[Math.floor(Math.random() * mostTimes)] = ms;
}

function shown({ timesMs, ...counts }: Counts) {
  const sorted = timesMs.toSorted((a, b) => a - b);
  return {
    ...counts,
    p50Ms: percentile(sorted, 0.5),
    p95Ms: percentile(sorted, 0.95),
    p99Ms: percentile(sorted, 0.99),
  };
}

async function writeMinute(database: Pick<Database, 'query'>, processId: string, point: Point): Promise<void> {
  await database.query(
    `WITH old AS (DELETE FROM server_minutes WHERE at < $1::timestamptz - interval '1 day')
     INSERT INTO server_minutes (at, process, point) VALUES ($1, $2, $3::json) ON CONFLICT (at, process) DO NOTHING`,
    [new Date(1000 * point.atSeconds), processId, JSON.stringify(point)],
  );
}

/** Of the day before now. What several processes wrote in one minute is one point: sums, and the slowest and fullest of them. */
async function readMinutes(database: Pick<Database, 'query'>, nowMs: number): Promise<Point[]> {
  const rows = await database.query<{ point: Point }>(
    'SELECT point FROM server_minutes WHERE at > $1::timestamptz ORDER BY at',
    [new Date(nowMs - 1000 * daySeconds)],
  );
  const minutes = Map.groupBy(rows, ({ point }) => Math.floor(point.atSeconds / 60));
  return [...minutes.values()].map(each => each.map(({ point }) => point).reduce(together));
}

function together(one: Point, other: Point): Point {
  return {
    atSeconds: one.atSeconds,
    seconds: one.seconds,
    requests: one.requests + other.requests,
    errors: one.errors + other.errors,
    tokens: one.tokens + other.tokens,
    queuedTokens: one.queuedTokens + other.queuedTokens,
    residentBytes: one.residentBytes + other.residentBytes,
    p50Ms: slower(one.p50Ms, other.p50Ms),
    p95Ms: slower(one.p95Ms, other.p95Ms),
    p99Ms: slower(one.p99Ms, other.p99Ms),
    cpuPercent: Math.max(one.cpuPercent, other.cpuPercent),
    memoryPercent: Math.max(one.memoryPercent, other.memoryPercent),
  };
}

function slower(a: number | null, b: number | null): number | null {
  return a === null ? b : Math.max(a, b ?? 0);
}

function tokensOf(engine: Pick<Engine, 'status'>): number {
  return engine.status().models.reduce((sum, each) => sum + each.tokens, 0);
}

/** The nearest rank, to a tenth of a millisecond. */
function percentile(sorted: readonly number[], part: number): number | null {
  const value = sorted[Math.min(sorted.length - 1, Math.ceil(part * sorted.length) - 1)];
  return value === undefined ? null : Math.round(10 * value) / 10;
}
