// Metrics of a model: which one speaks for it, and how each is written.
import type { Format } from '../../messages/format.ts';
import type en from '../../messages/en/models.ts';

export const metricNames = [
  'accuracy',
  'f1_macro',
  'f1_weighted',
  'auc',
  'log_loss',
  'expected_calibration_error',
  'baseline_accuracy',
  'rmse',
  'mae',
  'r2',
  'perplexity',
] as const satisfies readonly (keyof typeof en)[];
export type MetricName = (typeof metricNames)[number];

/** Shares, which people read as percent. */
const shares = new Set<string>([
  'accuracy',
  'baseline_accuracy',
  'f1_macro',
  'f1_weighted',
  'expected_calibration_error',
]);

export function isMetric(name: string): name is MetricName {
  return metricNames.some(each => each === name);
}

export function metricOf(metrics: Readonly<Record<string, unknown>> | null, name: string): number | null {
  const value = metrics?.[name];
  return typeof value === 'number' ? value : null;
}

export function writeMetric(name: string, value: number, format: Format): string {
  if (shares.has(name)) return format.percent(value, value > 0.99 && value < 1 ? 2 : 1);
  return format.decimal(value, Math.abs(value) >= 100 ? 1 : 3);
}

/** The metric that a list shows of a model. */
export function headline(
  metrics: Readonly<Record<string, unknown>> | null,
): { name: MetricName; value: number } | null {
  for (const name of ['accuracy', 'r2', 'perplexity'] as const) {
    const value = metricOf(metrics, name);
    if (value !== null) return { name, value };
  }
  return null;
}
