// Statistics of a version's columns: computed when somebody first asks, by one computation however many ask, then kept with it.
import type { ColumnProfile, Tables } from '@vectorium/tables';
import { ApiError } from '../http/index.ts';
import type { Storage } from '../storage/index.ts';
import { localFile } from './files.ts';
import { nameOfVersion } from './rules.ts';
import type { Dataset, Store } from './store.ts';

export interface Profiles {
  /** A caller who leaves takes nothing from the others: the statistics are kept for whoever asks next. */
  of(dataset: Dataset): Promise<ColumnProfile[]>;
}

export function createProfiles({
  store,
  storage,
  tables,
  log = () => {},
}: {
  store: Pick<Store, 'get' | 'profile' | 'keepProfile'>;
  storage: Storage;
  tables: Pick<Tables, 'profile'>;
  log?: (event: string, fields: object) => void;
}): Profiles {
  const underWay = new Map<string, Promise<ColumnProfile[]>>();

  async function compute(dataset: Dataset): Promise<ColumnProfile[]> {
    const { id, version } = dataset;
    const kept = await store.profile(id, version.number);
    if (kept) return kept;
    const { path, release } = await localFile({ storage, store }, dataset);
    try {
      const profile = await tables.profile(path, { account: dataset.accountId });
      await store.keepProfile(id, version.number, profile);
      return profile;
    } finally {
      release();
    }
  }

  return {
    of(dataset) {
      const name = nameOfVersion(dataset.id, dataset.version.number);
      const running = underWay.get(name);
      if (running) return running;
      const started = compute(dataset).finally(() => underWay.delete(name));
      underWay.set(name, started);
      started.catch((error: unknown) => {
        if (!(error instanceof ApiError)) log('datasets.profile_failed', { dataset: name, message: String(error) });
      });
      return started;
    },
  };
}
