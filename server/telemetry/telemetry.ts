// What one server measures of itself, from the first request on; the routes that show it are in routes.ts.
import type { Engine } from '@vectorium/engine';
import type { App } from '../http/index.ts';
import { type Machine, watchMachine } from './machine.ts';
import { Metrics } from './metrics.ts';

export interface Telemetry {
  readonly metrics: Metrics;
  readonly machine: Machine;
  readonly startedAt: Date;
  /** When a model was loaded into memory last. */
  lastModelLoad(): Date | null;
  /** To be told of the engine's log events. */
  engineEvent(event: string): void;
  /** To be told of every settled vector request. */
  vectorsSettled(settled: { route: string; model: string; tokens: number; durationMs: number }): void;
  /** Counts and times every answer of the app. */
  watchRequests(app: App): void;
  /** Adds the engine's queues and memory to the metrics. */
  watchEngine(engine: Pick<Engine, 'status'>): void;
  close(): void;
}

export function createTelemetry(): Telemetry {
  const metrics = new Metrics();
  const machine = watchMachine();
  const startedAt = new Date();
  let lastLoad: Date | null = null;

  const requests = metrics.counter('vectorium_http_requests_total', 'Requests answered, by route and status.');
  const latency = metrics.histogram(
    'vectorium_http_request_duration_seconds',
    'From the head of a request to the end of its answer.',
  );
  const modelLatency = metrics.histogram(
    'vectorium_vectors_duration_seconds',
    'From a checked vector request to its durable usage, by route and model.',
  );
  const tokens = metrics.counter(
    'vectorium_tokens_total',
    'Tokens of input that were turned into vectors and charged.',
  );
  observeProcess(metrics, machine, startedAt);

  return {
    metrics,
    machine,
    startedAt,
    lastModelLoad: () => lastLoad,
    engineEvent(event) {
      if (event === 'engine.session_loaded') lastLoad = new Date();
    },
    vectorsSettled({ route, model, tokens: count, durationMs }) {
      modelLatency.observe({ route, model }, durationMs / 1000);
      tokens.add({ model }, count);
    },
    watchRequests({ fastify }) {
      fastify.addHook('onResponse', async (request, reply) => {
        // The pattern, not the address: what callers make up must not become label values.
        const route = request.routeOptions.url ?? 'none';
        requests.add({ route, method: request.method, status: String(reply.statusCode) });
        latency.observe({ route }, reply.elapsedTime / 1000);
      });
    },
    watchEngine: engine => observeEngine(metrics, engine),
    close: () => machine.close(),
  };
}

function observeProcess(metrics: Metrics, machine: Machine, startedAt: Date): void {
  const { observed } = bound(metrics);
  observed(
    'process_start_time_seconds',
    'When the process started, since 1970.',
    'gauge',
    () => startedAt.getTime() / 1000,
  );
  observed('process_resident_memory_bytes', 'Memory in RAM.', 'gauge', () => process.memoryUsage.rss());
  observed('process_cpu_seconds_total', 'Processor time of all threads.', 'counter', () => {
    const { user, system } = process.cpuUsage();
    return (user + system) / 1e6;
  });
  metrics.observed('vectorium_event_loop_lag_seconds', 'Lateness of timers since the last scrape.', 'gauge', () =>
    Object.entries(machine.eventLoopLag()).map(([stat, value]) => [{ stat }, value]),
  );
}

function observeEngine(metrics: Metrics, engine: Pick<Engine, 'status'>): void {
  const { observed } = bound(metrics);
  observed('vectorium_engine_workers', 'Batches that may run at one time.', 'gauge', () => engine.status().workers);
  observed('vectorium_engine_busy_workers', 'Batches that run now.', 'gauge', () => engine.status().busyWorkers);
  observed(
    'vectorium_engine_lost_workers_total',
    'Threads that died unasked.',
    'counter',
    () => engine.status().lostWorkers,
  );
  observed(
    'vectorium_engine_resident_bytes',
    'Weights in memory, all sessions.',
    'gauge',
    () => engine.status().residentBytes,
  );
  observed(
    'vectorium_predicted_rows_total',
    'Rows that trained models predicted.',
    'counter',
    () => engine.status().predictor.rows,
  );
  observed(
    'vectorium_predictor_queue_rows',
    'Rows that wait for predictions.',
    'gauge',
    () => engine.status().predictor.queuedRows,
  );
  observed('vectorium_predictor_models', 'Trained models in memory.', 'gauge', () => engine.status().predictor.models);
  observed(
    'vectorium_predictor_resident_bytes',
    'Trained models in memory, all sessions; part of vectorium_engine_resident_bytes.',
    'gauge',
    () => engine.status().predictor.residentBytes,
  );

  const perModel = (name: string, help: string, read: (model: ModelStatus) => number) =>
    metrics.observed(name, help, name.endsWith('_total') ? 'counter' : 'gauge', () =>
      engine.status().models.map(model => [{ model: model.id }, read(model)]),
    );
  perModel('vectorium_model_loaded', '1 while the model is in memory.', ({ sessions }) => (sessions > 0 ? 1 : 0));
  perModel('vectorium_model_resident_bytes', 'Weights in memory.', ({ residentBytes }) => residentBytes);
  perModel('vectorium_queue_tokens', 'Tokens that wait.', ({ queuedTokens }) => queuedTokens);
  perModel('vectorium_queue_texts', 'Chunks that wait.', ({ queuedTexts }) => queuedTexts);
  perModel('vectorium_batches_total', 'Batches computed.', ({ batches }) => batches);
  perModel('vectorium_computed_tokens_total', 'Tokens computed, repeated overlaps included.', model => model.tokens);
  perModel('vectorium_padding_tokens_total', 'Padding computed beside them.', ({ paddingTokens }) => paddingTokens);
}

type ModelStatus = ReturnType<Engine['status']>['models'][number];

/** Metrics without labels. */
function bound(metrics: Metrics) {
  return {
    observed: (name: string, help: string, type: 'counter' | 'gauge', read: () => number) =>
      metrics.observed(name, help, type, () => [[{}, read()]]),
  };
}
