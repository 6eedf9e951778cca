// Health and metrics, for administrators: the documented JSON, and Prometheus' text.
import { routes } from '@vectorium/contract';
import { type Engine, availableCores } from '@vectorium/engine';
import { type App, Raw, mount } from '../http/index.ts';
import type { Ledger } from '../usage/index.ts';
import { tenths } from './machine.ts';
import type { Telemetry } from './telemetry.ts';

export interface TelemetryParts {
  telemetry: Telemetry;
  engine: Pick<Engine, 'status'>;
  ledger: Pick<Ledger, 'metrics'>;
  /** Whose disk is looked at. */
  dataFolder: string;
}

const GIGABYTE = 1024 ** 3;

export function mountTelemetryRoutes(app: App, { telemetry, engine, ledger, dataFolder }: TelemetryParts): void {
  const { machine, metrics, startedAt } = telemetry;

  mount(app, routes.getHealth, async () => {
    const { models } = engine.status();
    const { totalBytes, availableBytes } = machine.memory();
    return {
      status: models.some(({ state }) => state === 'failing') ? 'degraded' : 'healthy',
      uptime_seconds: Math.floor((Date.now() - startedAt.getTime()) / 1000),
      system: {
        cpu_percent: machine.cpuPercent(),
        memory_percent: tenths(100 * (1 - availableBytes / totalBytes)),
        disk_percent: await machine.diskPercent(dataFolder),
      },
      models_loaded: models.filter(({ sessions }) => sessions > 0).length,
      last_model_load: telemetry.lastModelLoad()?.toISOString() ?? null,
    };
  });

  mount(app, routes.getMetrics, async ({ headers }) => {
    if (/text\/plain|openmetrics/.test(headers.accept ?? '')) {
      return new Raw(metrics.text(), 'text/plain; version=0.0.4; charset=utf-8');
    }
    const durable = await ledger.metrics();
    const { totalBytes, availableBytes } = machine.memory();
    return {
      requests: {
        total: durable.totalRequests,
        last_24h: durable.requestsLast24Hours,
        average_response_time_ms: tenths(durable.averageMs),
      },
      models: Object.fromEntries(
        durable.models.map(each => [each.model, { requests: each.requests, avg_latency_ms: tenths(each.averageMs) }]),
      ),
      system: {
        cpu_cores: availableCores(),
        memory_total_gb: tenths(totalBytes / GIGABYTE),
        memory_available_gb: tenths(availableBytes / GIGABYTE),
      },
    };
  });
}
