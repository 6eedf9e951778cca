// Plans as they are now, in every server process: plans.json, and over it what the operator made and changed in the console. A change is
// read by this process before it is answered, and by the others when they hear of it; accounts follow from their next request on.
import { DatabaseError, type Database } from '../database/index.ts';
import { usdToPicodollars } from './money.ts';
import { type Definition, type Plan, type PlanFile, type Plans, definitionSchema, listed, planFrom } from './plans.ts';

export type PlanChanges = { [Field in keyof Definition]?: Definition[Field] | undefined } & {
  retired?: boolean | undefined;
};

export interface PlanStore extends Plans {
  /** Null when there is a plan of this name already. */
  create(name: string, definition: Definition): Promise<Plan | null>;
  /** What is absent stays. Null when there is no such plan. */
  change(name: string, changes: PlanChanges): Promise<Plan | null>;
  setSignUpCredit(usd: number): Promise<void>;
}

export interface PlanStoreOptions {
  database: Pick<Database, 'query' | 'announce' | 'onAnnouncement'>;
  file: PlanFile;
  log?: (event: string, fields: object) => void;
}

const signUpCredit = 'sign_up_credit_usd';
const uniqueViolation = '23505';

/** Throws when what is stored can't be read. */
export async function createPlanStore({ database, file, log = () => {} }: PlanStoreOptions): Promise<PlanStore> {
  const listeners: (() => void)[] = [];
  let plans = file.list();
  let signUpCreditPicodollars = file.signUpCreditPicodollars;
  let reading: Promise<void> = Promise.resolve();

  async function read(): Promise<void> {
    const rows = await database.query<{ name: string; definition: unknown; retired: boolean }>(
      'SELECT name, definition, retired FROM plans ORDER BY created_at, name',
    );
    const [credit] = await database.query<{ value: number }>('SELECT value FROM server_options WHERE name = $1', [
      signUpCredit,
    ]);
    const stored = new Map(
      rows.map(({ name, definition, retired }) => [
        name,
        planFrom(name, definitionSchema.parse(definition), { retired, changed: true }),
      ]),
    );
    const ofFile = file.list().map(plan => stored.get(plan.name) ?? plan);
    plans = [...ofFile, ...[...stored.values()].filter(({ name }) => !file.get(name))];
    signUpCreditPicodollars = credit ? usdToPicodollars(credit.value) : file.signUpCreditPicodollars;
    for (const listener of listeners) listener();
  }

  /** One after the other, so that the newest is the last. */
  function readAgain(): Promise<void> {
    reading = reading.then(read, read);
    return reading;
  }

  await readAgain();
  database.onAnnouncement('plans', () => {
    readAgain().catch((error: unknown) => {
      log('plans.not_read', { message: error instanceof Error ? error.message : String(error) });
    });
  });

  async function changed(name: string): Promise<Plan | null> {
    await readAgain();
    await database.announce('plans');
    return plans.find(plan => plan.name === name) ?? null;
  }

  return {
    ...listed(() => plans),
    get signUpCreditPicodollars() {
      return signUpCreditPicodollars;
    },
    onChange: listener => void listeners.push(listener),
    async settled() {
      // When reading failed, which the log tells, what was known goes on to count.
      await Promise.allSettled([reading]);
    },

    async create(name, definition) {
      if (file.get(name)) return null;
      try {
        await database.query('INSERT INTO plans (name, definition, created_at) VALUES ($1, $2::jsonb, $3)', [
          name,
          JSON.stringify(definition),
          new Date(),
        ]);
      } catch (error) {
        if (error instanceof DatabaseError && error.code === uniqueViolation) return null;
        throw error;
      }
      return changed(name);
    },

    async change(name, { retired, ...changes }) {
      const ofFile = file.definitions.get(name);
      await database.query(
        `WITH base AS (SELECT coalesce((SELECT definition FROM plans WHERE name = $1), $2::jsonb) AS definition)
         INSERT INTO plans (name, definition, retired, created_at)
         SELECT $1, definition || $3::jsonb, coalesce($4, false), $5::timestamptz FROM base WHERE definition IS NOT NULL
         ON CONFLICT (name) DO UPDATE SET definition = plans.definition || $3::jsonb, retired = coalesce($4, plans.retired)`,
        [name, ofFile ? JSON.stringify(ofFile) : null, JSON.stringify(changes), retired ?? null, new Date()],
      );
      return changed(name);
    },

    async setSignUpCredit(usd) {
      await database.query(
        `INSERT INTO server_options (name, value) VALUES ($1, $2::jsonb) ON CONFLICT (name) DO UPDATE SET value = excluded.value`,
        [signUpCredit, JSON.stringify(usd)],
      );
      await changed('');
    },
  };
}
