// The plans as plans.json has them, which an operator replaces by a file of the same shape in the data folder. What is made and changed in
// the console comes over it (store.ts).
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { usdToPicodollars } from './money.ts';

const count = z.int().min(1).max(2_000_000_000);
/** `null` is unlimited. */
const limit = count.nullable();
const usd = z.number().min(0).max(1_000_000);
const tier = z.enum(['budget', 'standard', 'premium']);

const limitsShape = {
  vectors: z.strictObject({ minute: limit, hour: limit, batch: count }),
  data: z.strictObject({ minute: limit, day: limit }),
  tiers: z.array(tier).min(1),
  models: z.array(z.string().min(1).max(200)).min(1).max(1000).nullable(),
  monthly_credit_usd: usd,
  storage_bytes: z.int().min(0).nullable(),
  jobs: limit,
  max_keys: limit,
};

/** A plan without its name. */
export const definitionSchema = z.strictObject({
  title: z.string().min(1),
  ...limitsShape,
  models: limitsShape.models.default(null),
  price_per_training_second_usd: usd,
  price_per_predicted_row_usd: usd,
  price_per_generated_token_usd: usd,
});
export type Definition = z.infer<typeof definitionSchema>;

const planFile = z.strictObject({
  sign_up_credit_usd: usd,
  plans: z
    .array(
      definitionSchema.extend({
        name: z.string().regex(/^[a-z][a-z0-9_-]{0,31}$/, 'a plan is named by small letters and digits'),
      }),
    )
    .min(1)
    .refine(plans => new Set(plans.map(({ name }) => name)).size === plans.length, 'two plans have one name'),
});

/** What an account may have other than its plan: the same columns, each optional, merged into the plan's. */
export const overridesSchema = z.strictObject({
  vectors: z.strictObject(limitsShape.vectors.shape).partial().optional(),
  data: z.strictObject(limitsShape.data.shape).partial().optional(),
  tiers: limitsShape.tiers.optional(),
  models: limitsShape.models.optional(),
  monthly_credit_usd: usd.optional(),
  storage_bytes: limitsShape.storage_bytes.optional(),
  jobs: limit.optional(),
  max_keys: limit.optional(),
});
export type Overrides = z.infer<typeof overridesSchema>;

export type Tier = z.infer<typeof tier>;

/** Limits are counts of requests; `null` is unlimited. */
export interface Plan {
  name: string;
  title: string;
  vectors: { minute: number | null; hour: number | null; /** Texts in one request. */ batch: number };
  data: { minute: number | null; day: number | null };
  tiers: Tier[];
  /** Aliases of the models of these tiers that it includes; null is every one. */
  models: string[] | null;
  monthlyCreditPicodollars: bigint;
  storageBytes: number | null;
  /** Jobs at once. */
  jobs: number | null;
  /** Active keys. */
  maxKeys: number | null;
  trainingSecondPicodollars: bigint;
  predictedRowPicodollars: bigint;
  generatedTokenPicodollars: bigint;
  /** Accounts that are on it keep it; nobody else gets it. */
  retired: boolean;
  /** Made or changed in the console, and so not what plans.json says. */
  changed: boolean;
}

export interface Plans {
  readonly signUpCreditPicodollars: bigint;
  /** In the order of plans.json, and then those made in the console; retired ones too. */
  list(): Plan[];
  get(name: string): Plan | undefined;
  /** Of those who sign up: `free`, or the first that is not retired. */
  signUpPlan(): Plan;
  /** Called when plans have changed, whoever changed them. */
  onChange(listener: () => void): void;
  /** Resolves when what has been announced has been read. */
  settled(): Promise<void>;
}

/** What plans.json says. */
export interface PlanFile extends Plans {
  definitions: ReadonlyMap<string, Definition>;
}

/** Reads `<dataFolder>/plans.json` if there is one, else the shipped file. Throws an Error that names the file and the place in it. */
export async function loadPlans(dataFolder: string): Promise<PlanFile> {
  const own = join(dataFolder, 'plans.json');
  const text = await readFile(own, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return null;
    throw error;
  });
  if (text !== null) return parsePlans(text, own);
  return parsePlans(await readFile(new URL('./plans.json', import.meta.url), 'utf8'), 'plans.json');
}

export function parsePlans(text: string, fileName: string): PlanFile {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (error) {
    throw new Error(`${fileName} is not JSON: ${error instanceof Error ? error.message : error}`, { cause: error });
  }
  const parsed = planFile.safeParse(json);
  if (!parsed.success) {
    const places = parsed.error.issues.map(({ path, message }) => `${path.join('.') || 'the file'}: ${message}`);
    throw new Error(`${fileName} can't be used: ${places.join('; ')}`);
  }
  const definitions = new Map(parsed.data.plans.map(({ name, ...definition }) => [name, definition]));
  const plans = [...definitions].map(([name, definition]) => planFrom(name, definition));
  return {
    definitions,
    signUpCreditPicodollars: usdToPicodollars(parsed.data.sign_up_credit_usd),
    ...listed(() => plans),
    onChange() {},
    settled: async () => {},
  };
}

/** What plans are asked for, of a list that may be another at each time. */
export function listed(list: () => Plan[]): Pick<Plans, 'list' | 'get' | 'signUpPlan'> {
  const get = (name: string): Plan | undefined => list().find(plan => plan.name === name);
  return {
    list,
    get,
    signUpPlan() {
      const free = get('free');
      const plan = free && !free.retired ? free : (list().find(({ retired }) => !retired) ?? free);
      if (!plan) throw new Error('There is no plan');
      return plan;
    },
  };
}

export function planFrom(
  name: string,
  row: Definition,
  { retired = false, changed = false }: { retired?: boolean; changed?: boolean } = {},
): Plan {
  return {
    name,
    title: row.title,
    vectors: row.vectors,
    data: row.data,
    tiers: row.tiers,
    models: row.models,
    monthlyCreditPicodollars: usdToPicodollars(row.monthly_credit_usd),
    storageBytes: row.storage_bytes,
    jobs: row.jobs,
    maxKeys: row.max_keys,
    trainingSecondPicodollars: usdToPicodollars(row.price_per_training_second_usd),
    predictedRowPicodollars: usdToPicodollars(row.price_per_predicted_row_usd),
    generatedTokenPicodollars: usdToPicodollars(row.price_per_generated_token_usd),
    retired,
    changed,
  };
}

/** The plan with an account's own limits in place of the plan's. */
export function withOverrides(plan: Plan, overrides: Overrides | null): Plan {
  if (!overrides) return plan;
  const { vectors, data, tiers, models, monthly_credit_usd: creditUsd } = overrides;
  const { storage_bytes: storageBytes, jobs, max_keys: maxKeys } = overrides;
  return {
    ...plan,
    vectors: { ...plan.vectors, ...given(vectors) },
    data: { ...plan.data, ...given(data) },
    ...given({ tiers, models, storageBytes, jobs, maxKeys }),
    ...(creditUsd === undefined ? {} : { monthlyCreditPicodollars: usdToPicodollars(creditUsd) }),
  };
}

/** The fields that are there: `undefined` would hide the plan's own value. */
function given<T extends object>(fields: T | undefined): { [K in keyof T]?: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(fields ?? {}).filter(([, value]) => value !== undefined)) as {
    [K in keyof T]?: Exclude<T[K], undefined>;
  };
}
