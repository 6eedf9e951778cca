// The plans: read from plans.json, which an operator replaces by a file of the same shape in the data folder.
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { usdToPicodollars } from './money.ts';

const count = z.int().min(1).max(2_000_000_000);
/** `null` is unlimited. */
const limit = count.nullable();
const usd = z.number().min(0).max(1_000_000);
const tier = z.enum(['budget', 'standard', 'premium']);

const planShape = {
  vectors: z.strictObject({ minute: limit, hour: limit, batch: count }),
  data: z.strictObject({ minute: limit, day: limit }),
  tiers: z.array(tier).min(1),
  monthly_credit_usd: usd,
  storage_bytes: z.int().min(0).nullable(),
  jobs: limit,
  max_keys: limit,
};

const planFile = z.strictObject({
  sign_up_credit_usd: usd,
  plans: z
    .array(
      z.strictObject({
        name: z.string().regex(/^[a-z][a-z0-9_-]{0,31}$/, 'a plan is named by small letters and digits'),
        title: z.string().min(1),
        ...planShape,
        price_per_training_second_usd: usd,
        price_per_predicted_row_usd: usd,
        price_per_generated_token_usd: usd,
      }),
    )
    .min(1)
    .refine(plans => new Set(plans.map(({ name }) => name)).size === plans.length, 'two plans have one name'),
});

/** What an account may have other than its plan: the same columns, each optional, merged into the plan's. */
export const overridesSchema = z.strictObject({
  vectors: z.strictObject(planShape.vectors.shape).partial().optional(),
  data: z.strictObject(planShape.data.shape).partial().optional(),
  tiers: planShape.tiers.optional(),
  monthly_credit_usd: usd.optional(),
  storage_bytes: planShape.storage_bytes.optional(),
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
  monthlyCreditPicodollars: bigint;
  storageBytes: number | null;
  /** Jobs at once. */
  jobs: number | null;
  /** Active keys. */
  maxKeys: number | null;
  trainingSecondPicodollars: bigint;
  predictedRowPicodollars: bigint;
  generatedTokenPicodollars: bigint;
}

export interface Plans {
  signUpCreditPicodollars: bigint;
  list(): Plan[];
  get(name: string): Plan | undefined;
}

/** Reads `<dataFolder>/plans.json` if there is one, else the shipped file. Throws an Error that names the file and the place in it. */
export async function loadPlans(dataFolder: string): Promise<Plans> {
  const own = join(dataFolder, 'plans.json');
  const text = await readFile(own, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return null;
    throw error;
  });
  if (text !== null) return parsePlans(text, own);
  return parsePlans(await readFile(new URL('./plans.json', import.meta.url), 'utf8'), 'plans.json');
}

export function parsePlans(text: string, fileName: string): Plans {
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
  const plans = parsed.data.plans.map(row => ({
    name: row.name,
    title: row.title,
    vectors: row.vectors,
    data: row.data,
    tiers: row.tiers,
    monthlyCreditPicodollars: usdToPicodollars(row.monthly_credit_usd),
    storageBytes: row.storage_bytes,
    jobs: row.jobs,
    maxKeys: row.max_keys,
    trainingSecondPicodollars: usdToPicodollars(row.price_per_training_second_usd),
    predictedRowPicodollars: usdToPicodollars(row.price_per_predicted_row_usd),
    generatedTokenPicodollars: usdToPicodollars(row.price_per_generated_token_usd),
  }));
  const byName = new Map(plans.map(plan => [plan.name, plan]));
  return {
    signUpCreditPicodollars: usdToPicodollars(parsed.data.sign_up_credit_usd),
    list: () => plans,
    get: name => byName.get(name),
  };
}

/** The plan with an account's own limits in place of the plan's. */
export function withOverrides(plan: Plan, overrides: Overrides | null): Plan {
  if (!overrides) return plan;
  const { vectors, data, tiers, monthly_credit_usd: creditUsd } = overrides;
  const { storage_bytes: storageBytes, jobs, max_keys: maxKeys } = overrides;
  return {
    ...plan,
    vectors: { ...plan.vectors, ...given(vectors) },
    data: { ...plan.data, ...given(data) },
    ...given({ tiers, storageBytes, jobs, maxKeys }),
    ...(creditUsd === undefined ? {} : { monthlyCreditPicodollars: usdToPicodollars(creditUsd) }),
  };
}

/** The fields that are there: `undefined` would hide the plan's own value. */
function given<T extends object>(fields: T | undefined): { [K in keyof T]?: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(fields ?? {}).filter(([, value]) => value !== undefined)) as {
    [K in keyof T]?: Exclude<T[K], undefined>;
  };
}
