// The kinds of jobs that a tables process can do.
import { TableError } from './errors.ts';
import { exportFile } from './export.ts';
import { ingest } from './ingest/ingest.ts';
import type { JobKind } from './job.ts';
import type { Kind } from './protocol.ts';
import { profile } from './profile.ts';
import { readRows } from './rows.ts';

export const kinds: { [K in Kind]: JobKind<K> } = {
  ingest: { files: ({ source, target }) => ({ paths: [source, target] }), run: ingest },
  profile: { files: ({ source }) => ({ paths: [source] }), run: profile },
  rows: { files: ({ source }) => ({ paths: [source] }), run: readRows },
  export: { files: ({ source, target }) => ({ paths: [source, target] }), run: exportFile },
  check: { files: () => ({ paths: [] }), run: refuse },
  process: { files: () => ({ paths: [] }), run: refuse },
};

function refuse(): Promise<never> {
  throw new TableError('FAILED', 'Operations are not part of this build');
}
