// Models and their aliases in the database. What makes a model ready takes the reservation of its files with it, in one transaction.
import type { Card } from '@vectorium/training';
import type { Database, Row } from '../database/index.ts';
import { newId } from '../database/index.ts';
import type { FileOfAccount } from '../files/leftovers.ts';
import type { AskedConfig } from './rules.ts';

export interface TrainedModel {
  id: string;
  accountId: string;
  jobId: string;
  name: string | null;
  type: 'classification' | 'regression' | 'llm';
  /** As `ds_x@2`. */
  dataset: string;
  config: AskedConfig;
  aliases: string[];
  createdAt: Date;
  countedBytes: number;
  ready: ReadyPart | null;
}

export interface ReadyPart {
  at: Date;
  /** Where its files are in the storage; ends with a slash. */
  folder: string;
  card: Card;
  example: Record<string, unknown> | null;
  costPicodollars: bigint;
}

export type ReadyModel = TrainedModel & { ready: ReadyPart };

export type NewModel = Pick<TrainedModel, 'id' | 'accountId' | 'jobId' | 'name' | 'type' | 'dataset' | 'config'>;

export type Finished = Omit<ReadyPart, 'at'> & { countedBytes: number };

export interface Alias {
  alias: string;
  modelId: string;
  updatedAt: Date;
}

export interface Store {
  /** Without effect when it is there already. */
  add(model: NewModel): Promise<void>;
  /** By its id or an alias. */
  get(accountId: string, name: string): Promise<TrainedModel | null>;
  /** Newest first. `after` is the id of the last one of the page before. */
  list(accountId: string, page: { limit: number; after: string | null }): Promise<TrainedModel[]>;
  /** False when the model or the reservation is gone. */
  finish(id: string, finished: Finished, reservationId: string): Promise<boolean>;
  /** Null when there is none. Not removed when an alias names it. */
  remove(accountId: string, id: string): Promise<{ model: TrainedModel; removed: boolean } | null>;
  aliases(accountId: string): Promise<Alias[]>;
  /** Null when the model is gone. */
  setAlias(accountId: string, alias: string, modelId: string): Promise<Alias | null>;
  removeAlias(accountId: string, alias: string): Promise<boolean>;
  /** Of these keys of the storage, those that belong to a model, to a reservation that is alive, or to an account of another database. */
  known(files: FileOfAccount[]): Promise<Set<string>>;
}

export function newModelId(): string {
  return `model_${newId().replaceAll('-', '')}`;
}

export function createStore(database: Database, now: () => Date = () => new Date()): Store {
  return {
    async add({ id, accountId, jobId, name, type, dataset, config }) {
      await database.query(
        `INSERT INTO trained_models (id, account_id, job_id, name, type, dataset, config, created_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7::json, $8) ON CONFLICT (id) DO NOTHING`,
        [id, accountId, jobId, name, type, dataset, JSON.stringify(config), now()],
      );
    },

    async get(accountId, name) {
      const [row] = await database.query(
        `${selectModels} WHERE m.account_id = $1 AND m.id =
           coalesce((SELECT model_id FROM model_aliases WHERE account_id = $1 AND alias = $2), $2)`,
        [accountId, name],
      );
      return row ? modelFrom(row) : null;
    },

    async list(accountId, { limit, after }) {
      const rows = await database.query(
        `${selectModels} WHERE m.account_id = $1 AND ($3::text IS NULL OR m.id < $3) ORDER BY m.id DESC LIMIT $2`,
        [accountId, limit, after],
      );
      return rows.map(modelFrom);
    },

    async finish(id, { folder, card, example, countedBytes, costPicodollars }, reservationId) {
      const [, rows] = await database.transaction([
        { sql: 'SELECT id FROM storage_reservations WHERE id = $1 FOR UPDATE', values: [reservationId] },
        {
          sql: `UPDATE trained_models SET ready_at = $2, folder = $3, card = $4::json, example = $5::json, counted_bytes = $6::bigint,
                  cost_picodollars = $7::bigint
                WHERE id = $1 AND ready_at IS NULL AND EXISTS (SELECT 1 FROM storage_reservations WHERE id = $8) RETURNING id`,
          values: [
            id,
            now(),
            folder,
            JSON.stringify(card),
            JSON.stringify(example),
            countedBytes,
            costPicodollars,
            reservationId,
          ],
        },
        { sql: 'DELETE FROM storage_reservations WHERE id = $1', values: [reservationId] },
      ]);
      return rows?.length === 1;
    },

    async remove(accountId, id) {
      const [, rows, removed] = await database.transaction([
        { sql: 'SELECT id FROM trained_models WHERE account_id = $1 AND id = $2 FOR UPDATE', values: [accountId, id] },
        { sql: `${selectModels} WHERE m.account_id = $1 AND m.id = $2`, values: [accountId, id] },
        {
          sql: `DELETE FROM trained_models WHERE account_id = $1 AND id = $2
                AND NOT EXISTS (SELECT 1 FROM model_aliases WHERE model_id = $2) RETURNING id`,
          values: [accountId, id],
        },
      ]);
      const [row] = rows ?? [];
      return row ? { model: modelFrom(row), removed: removed?.length === 1 } : null;
    },

    async aliases(accountId) {
      const rows = await database.query(
        'SELECT alias, model_id, updated_at FROM model_aliases WHERE account_id = $1 ORDER BY alias',
        [accountId],
      );
      return rows.map(aliasFrom);
    },

    async setAlias(accountId, alias, modelId) {
      const [, rows] = await database.transaction([
        // A model that is being deleted is waited for.
        {
          sql: 'SELECT id FROM trained_models WHERE account_id = $1 AND id = $2 FOR UPDATE',
          values: [accountId, modelId],
        },
        {
          sql: `INSERT INTO model_aliases (account_id, alias, model_id, updated_at)
                SELECT $1, $2, id, $4::timestamptz FROM trained_models WHERE account_id = $1 AND id = $3
                ON CONFLICT (account_id, alias) DO UPDATE SET model_id = excluded.model_id, updated_at = excluded.updated_at
                RETURNING alias, model_id, updated_at`,
          values: [accountId, alias, modelId, now()],
        },
      ]);
      const [row] = rows ?? [];
      return row ? aliasFrom(row) : null;
    },

    async removeAlias(accountId, alias) {
      const rows = await database.query(
        'DELETE FROM model_aliases WHERE account_id = $1 AND alias = $2 RETURNING alias',
        [accountId, alias],
      );
      return rows.length > 0;
    },

    async known(files) {
      const rows = await database.query(
        `SELECT f.key FROM jsonb_to_recordset($1::jsonb) AS f(key text, "accountId" text, "reservationId" text)
         WHERE EXISTS (SELECT 1 FROM trained_models WHERE account_id = f."accountId" AND starts_with(f.key, folder))
           OR EXISTS (SELECT 1 FROM storage_reservations WHERE id = f."reservationId" AND expires_at > clock_timestamp())
           OR NOT EXISTS (SELECT 1 FROM accounts WHERE id = f."accountId")`,
        [JSON.stringify(files)],
      );
      return new Set(rows.map(row => String(row['key'])));
    },
  };
}

const selectModels = `
  SELECT m.*, (SELECT json_agg(alias ORDER BY alias) FROM model_aliases WHERE model_id = m.id) AS aliases FROM trained_models m`;

function modelFrom(row: Row): TrainedModel {
  const at = row['ready_at'] as Date | null;
  return {
    id: String(row['id']),
    accountId: String(row['account_id']),
    jobId: String(row['job_id']),
    name: row['name'] as string | null,
    type: row['type'] as TrainedModel['type'],
    dataset: String(row['dataset']),
    config: row['config'] as AskedConfig,
    aliases: (row['aliases'] as string[] | null) ?? [],
    createdAt: row['created_at'] as Date,
    countedBytes: Number(row['counted_bytes']),
    ready: at && {
      at,
      folder: String(row['folder']),
      card: row['card'] as Card,
      example: row['example'] as ReadyPart['example'],
      costPicodollars: BigInt(String(row['cost_picodollars'])),
    },
  };
}

function aliasFrom(row: Row): Alias {
  return {
    alias: String(row['alias']),
    modelId: String(row['model_id']),
    updatedAt: row['updated_at'] as Date,
  };
}
