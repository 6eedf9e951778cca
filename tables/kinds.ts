// The kinds of jobs that a tables process can do.
import { exportFile } from './export.ts';
import { ingest } from './ingest/ingest.ts';
import type { JobKind } from './job.ts';
import { checkOperations } from './operations/check.ts';
import { processOperations } from './operations/process.ts';
import type { Kind } from './protocol.ts';
import { profile } from './profile.ts';
import { readRows } from './rows.ts';

export const kinds: { [K in Kind]: JobKind<K> } = {
  ingest: { files: ({ source, target }) => ({ paths: [source, target] }), run: ingest },
  profile: { files: ({ source }) => ({ paths: [source] }), run: profile },
  rows: { files: ({ source }) => ({ paths: [source] }), run: readRows },
  export: { files: ({ source, target }) => ({ paths: [source, target] }), run: exportFile },
  check: {
    files: ({ source, datasets }) => ({ paths: [source, ...Object.values(datasets)] }),
    run: async (job, { connection }) => {
      await checkOperations(connection, job);
      return null;
    },
  },
  process: {
    files: ({ source, datasets, folder }) => ({ paths: [source, ...Object.values(datasets)], folders: [folder] }),
    tellsProgress: true,
    run: (job, { connection, services, signal, progress }) =>
      processOperations(connection, job, services, { signal, onProgress: progress }),
  },
};
