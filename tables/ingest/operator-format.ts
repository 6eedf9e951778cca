// Formats that the operator of a server adds as one file each; docs/formats.md describes them.
import { createReadStream } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { TableError } from '../errors.ts';
import type { JobContext } from '../job.ts';
import { ingestObjects } from './objects.ts';
import type { Written } from './delimited.ts';

/** What a file of the formats folder exports as its default. */
export interface OperatorFormat {
  /** As `options.kind` names it. */
  name: string;
  /** The rows of a file, in order: an object each, values as JSON has them. What it throws is shown to the caller. */
  rows(bytes: AsyncIterable<Uint8Array>, options: Record<string, unknown>): AsyncIterable<object>;
}

export async function ingestOperatorFormat(
  kind: string,
  source: string,
  options: Record<string, unknown>,
  context: JobContext,
  target: string,
): Promise<Written> {
  const formats = await load(context.settings.formatsFolder);
  const format = formats.find(({ name }) => name === kind);
  if (!format) {
    const known = ['delimited', 'pattern', 'fixed_width', ...formats.map(({ name }) => name)];
    throw new TableError('INVALID_OPTIONS', `options.kind must be one of ${known.join(', ')}`, {
      param: 'options.kind',
    });
  }
  async function* rows(): AsyncGenerator<object> {
    if (!format) return;
    let count = 0;
    try {
      for await (const row of format.rows(createReadStream(source, { highWaterMark: 2 ** 20 }), options)) {
        count++;
        yield row;
      }
    } catch (error) {
      if (error instanceof TableError || context.signal.aborted) throw error;
      throw new TableError('BAD_ROWS', `${kind}: ${error instanceof Error ? error.message : String(error)}`, {
        place: `after row ${count}`,
      });
    }
  }
  return { rows: await ingestObjects(rows(), null, context, target), rejected: { count: 0, samples: [] }, notes: [] };
}

async function load(folder: string | null): Promise<OperatorFormat[]> {
  if (folder === null) return [];
  const names = await readdir(folder).catch((error: NodeJS.ErrnoException) => {
    // Most operators add none.
    if (error.code === 'ENOENT') return [];
    throw error;
  });
  const files = names.filter(name => /\.(js|mjs|ts)$/.test(name) && !name.endsWith('.test.ts'));
  return Promise.all(
    files.toSorted().map(async name => {
      const module = (await import(pathToFileURL(join(folder, name)).href)) as { default?: unknown };
      if (!isFormat(module.default))
        throw new TableError('FAILED', `formats/${name} exports no {name, rows} as its default`);
      return module.default;
    }),
  );
}

function isFormat(value: unknown): value is OperatorFormat {
  return (
    typeof value === 'object' &&
    value !== null &&
    'name' in value &&
    typeof value.name === 'string' &&
    'rows' in value &&
    typeof value.rows === 'function'
  );
}
