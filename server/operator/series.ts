// How the server does over time: one point every ten seconds, kept for a day in memory, of this process alone. Prometheus is there for more.
import type { Engine } from '@vectorium/engine';
import type { App } from '../http/index.ts';

export interface Point {
  atSeconds: number;
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
  take(): void;
  close(): void;
}

export interface SeriesOptions {
  engine: Pick<Engine, 'status'>;
  machine: { cpuPercent(): number; memory(): { totalBytes: number; availableBytes: number } };
  now?: () => number;
}

const intervalSeconds = 10;
const mostPoints = 86_400 / intervalSeconds;
/** Enough for percentiles; what comes beyond replaces what came before by chance. */
const mostTimes = 4096;

export function createSeries({ engine, machine, now = Date.now }: SeriesOptions): Series {
  const points: Point[] = [];
  let timesMs: number[] = [];
  let requests = 0;
  let errors = 0;
  let tokensBefore = tokensOf(engine);

  function take(): void {
    const { models, residentBytes } = engine.status();
    const tokens = tokensOf(engine);
    const { totalBytes, availableBytes } = machine.memory();
    const sorted = timesMs.toSorted((a, b) => a - b);
    points.push({
      atSeconds: Math.floor(now() / 1000),
      requests,
      errors,
      p50Ms: percentile(sorted, 0.5),
      p95Ms: percentile(sorted, 0.95),
      p99Ms: percentile(sorted, 0.99),
      // A model that leaves memory takes its count with it.
      tokens: Math.max(0, tokens - tokensBefore),
      queuedTokens: models.reduce((sum, each) => sum + each.queuedTokens, 0),
      residentBytes,
      cpuPercent: machine.cpuPercent(),
      memoryPercent: Math.round(1000 * (1 - availableBytes / totalBytes)) / 10,
    });
    if (points.length > mostPoints) points.shift();
    tokensBefore = tokens;
    timesMs = [];
    requests = 0;
    errors = 0;
  }

  const timer = setInterval(take, 1000 * intervalSeconds);
  timer.unref();
  return {
    intervalSeconds,
    take,
    watch({ fastify }) {
      fastify.addHook('onResponse', async (request, reply) => {
        const stream = String(reply.getHeader('content-type') ?? '').startsWith('text/event-stream');
        if (stream || request.url.startsWith('/console/')) return;
        requests++;
        if (reply.statusCode >= 500) errors++;
        if (timesMs.length < mostTimes) timesMs.push(reply.elapsedTime);
        else timesMs[Math.floor(Math.random() * mostTimes)] = reply.elapsedTime;
      });
    },
    points: minutes => points.slice(-Math.ceil((60 * minutes) / intervalSeconds)),
    close: () => clearInterval(timer),
  };
}

function tokensOf(engine: Pick<Engine, 'status'>): number {
  return engine.status().models.reduce((sum, each) => sum + each.tokens, 0);
}

/** The nearest rank, to a tenth of a millisecond. */
function percentile(sorted: readonly number[], part: number): number | null {
  const value = sorted[Math.min(sorted.length - 1, Math.ceil(part * sorted.length) - 1)];
  return value === undefined ? null : Math.round(10 * value) / 10;
}
