// Counters, gauges and latency histograms, and their text in Prometheus' exposition format 0.0.4.
//
// Names end in their unit (`_seconds`, `_bytes`) and counters in `_total`, as Prometheus' conventions ask.

export type Labels = Readonly<Record<string, string>>;

interface Family {
  name: string;
  help: string;
  type: 'counter' | 'gauge' | 'histogram';
  /** One line a sample, without the family's name. */
  samples(): Iterable<{ suffix?: string; labels: string; value: number }>;
}

/** From a short text that is answered at once to a large batch of long ones. */
const LATENCY_BUCKETS_SECONDS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120];

/** All metrics of one server; several registries don't know of each other, so tests don't meet. */
export class Metrics {
  private readonly families: Family[] = [];

  counter(name: string, help: string): Counter {
    const counter = new Counter();
    this.families.push({ name, help, type: 'counter', samples: () => counter.samples() });
    return counter;
  }

  histogram(name: string, help: string, buckets: readonly number[] = LATENCY_BUCKETS_SECONDS): Histogram {
    const histogram = new Histogram(buckets);
    this.families.push({ name, help, type: 'histogram', samples: () => histogram.samples() });
    return histogram;
  }

  /** A number, or one for each set of labels, that is read when somebody asks. */
  observed(name: string, help: string, type: 'counter' | 'gauge', read: () => Iterable<[Labels, number]>): void {
    const samples = () => Array.from(read(), ([labels, value]) => ({ labels: labelText(labels), value }));
    this.families.push({ name, help, type, samples });
  }

  text(): string {
    const lines: string[] = [];
    for (const family of this.families) {
      lines.push(`# HELP ${family.name} ${family.help}`, `# TYPE ${family.name} ${family.type}`);
      for (const { suffix = '', labels, value } of family.samples()) {
        lines.push(`${family.name}${suffix}${labels === '' ? '' : `{${labels}}`} ${value}`);
      }
    }
    return `${lines.join('\n')}\n`;
  }
}

export class Counter {
  private readonly values = new Map<string, number>();

  add(labels: Labels, amount = 1): void {
    const text = labelText(labels);
    this.values.set(text, (this.values.get(text) ?? 0) + amount);
  }

  *samples() {
    for (const [labels, value] of this.values) yield { labels, value };
  }
}

export class Histogram {
  private readonly buckets: readonly number[];
  private readonly series = new Map<string, { counts: number[]; sum: number; count: number }>();

  constructor(buckets: readonly number[]) {
    this.buckets = buckets;
  }

  observe(labels: Labels, value: number): void {
    const text = labelText(labels);
    let series = this.series.get(text);
    if (!series) this.series.set(text, (series = { counts: this.buckets.map(() => 0), sum: 0, count: 0 }));
    series.sum += value;
    series.count++;
    const bucket = this.buckets.findIndex(edge => value <= edge);
    if (bucket !== -1) series.counts[bucket] = (series.counts[bucket] ?? 0) + 1;
  }

  *samples() {
    for (const [labels, { counts, sum, count }] of this.series) {
      const before = labels === '' ? '' : `${labels},`;
      let below = 0;
      for (const [index, edge] of this.buckets.entries()) {
        below += counts[index] ?? 0;
        yield { suffix: '_bucket', labels: `${before}le="${edge}"`, value: below };
      }
      yield { suffix: '_bucket', labels: `${before}le="+Inf"`, value: count };
      yield { suffix: '_sum', labels, value: sum };
      yield { suffix: '_count', labels, value: count };
    }
  }
}

function labelText(labels: Labels): string {
  return Object.entries(labels)
    .map(([name, value]) => `${name}="${value.replaceAll(/[\\"\n]/g, escape)}"`)
    .join(',');
}

function escape(character: string): string {
  return character === '\n' ? '\\n' : `\\${character}`;
}
