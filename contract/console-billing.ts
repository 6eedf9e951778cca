// Usage and money of an account as the console shows them: balance, budget and alerts, ledger, invoices, and buying credit.
import { z } from 'zod';
import { dollars, instant, optional, page, pageOf, withDefault } from './fields.ts';
import { defineRoute } from './route.ts';

const common = { tag: 'Console', auth: 'session', family: 'console', dialect: 'native' } as const;

export const ledgerKinds = ['opening', 'sign_up', 'monthly', 'credit', 'payment', 'usage'] as const;
export const alertPercents = [50, 80, 95] as const;

export const planShape = z.object({
  name: z.string(),
  title: z.string(),
  vectors: z.object({ minute: z.int().nullable(), hour: z.int().nullable(), batch: z.int() }),
  data: z.object({ minute: z.int().nullable(), day: z.int().nullable() }),
  tiers: z.array(z.string()),
  models: z.array(z.string()).nullable().meta({ description: 'Of these tiers; null: all.' }),
  monthly_credit_usd: z.number(),
  storage_bytes: z.int().nullable(),
  jobs: z.int().nullable(),
  max_keys: z.int().nullable(),
  price_per_training_second_usd: z.number(),
  price_per_predicted_row_usd: z.number(),
  price_per_generated_token_usd: z.number(),
});

const listPlans = defineRoute({
  ...common,
  id: 'listPlans',
  method: 'GET',
  path: '/console/api/plans',
  summary: 'The plans of this server; `current` has the limits of the account itself',
  answer: z.object({ data: z.array(planShape), current: planShape }),
  errors: [],
});

const budget = z.object({
  monthly_usd: z
    .number()
    .nullable()
    .meta({ description: 'What the account means to spend in a calendar month (UTC).' }),
  hard: z.boolean().meta({ description: 'Whether requests that would pass it are refused.' }),
  mail: z.boolean().meta({ description: 'Owners get a mail at 50, 80 and 95 %.' }),
  webhook: z.boolean().meta({ description: "The account's webhook is told (`budget.alert`) at 50, 80 and 95 %." }),
});

const getBilling = defineRoute({
  ...common,
  id: 'getBilling',
  method: 'GET',
  path: '/console/api/billing',
  summary: 'Balance, budget and where the month is heading',
  answer: z.object({
    billed: z.boolean(),
    balance_usd: z.number().nullable().meta({ description: 'null on an account that is not billed.' }),
    month: z.string().meta({ description: '`2026-01`, UTC.' }),
    spent_usd: z.number().meta({ description: 'In this month.' }),
    projected_usd: z
      .number()
      .meta({ description: "By the month's end: what was spent, and the mean of the last seven days from now on." }),
    monthly_credit_usd: z.number().meta({ description: 'What the plan grants at the first use in a month.' }),
    budget,
    alerts: z.array(z.object({ percent: z.int(), at: z.string() })).meta({ description: 'Of this month.' }),
    payment_amounts_usd: z
      .array(z.number())
      .nullable()
      .meta({ description: 'Amounts of credit to choose from; null where credit can not be bought.' }),
  }),
  errors: [],
});

const setBudget = defineRoute({
  ...common,
  role: 'owner',
  id: 'setBudget',
  method: 'PUT',
  path: '/console/api/billing/budget',
  summary: 'Set the monthly budget, and who is told when it is nearly spent',
  body: z.strictObject({
    monthly_usd: dollars.nullable(),
    hard: withDefault(z.boolean(), false),
    mail: withDefault(z.boolean(), true),
    webhook: withDefault(z.boolean(), false),
  }),
  answer: budget,
  errors: [],
});

const listLedger = defineRoute({
  ...common,
  id: 'listLedger',
  method: 'GET',
  path: '/console/api/billing/ledger',
  summary: 'What came and went, newest first; usage as one entry a day',
  query: page.extend({ format: withDefault(z.enum(['json', 'csv']), 'json') }),
  answer: pageOf(
    z.object({
      id: z.string(),
      at: z.string(),
      kind: z.enum(ledgerKinds),
      amount_usd: z.number(),
      balance_usd: z.number().meta({ description: 'After the entry.' }),
      note: z.string(),
    }),
  ),
  alternatives: { 'text/csv': 'The whole ledger, oldest first, with `format=csv`.' },
  errors: ['INVALID_PARAMETER'],
});

const getUsageSeries = defineRoute({
  ...common,
  id: 'getUsageSeries',
  method: 'GET',
  path: '/console/api/usage',
  summary: 'Usage by time, model and key, for plots',
  description:
    'One row for each hour or day (UTC) with any use, model and key. Single requests as CSV: `/usage?format=csv`.',
  query: z.object({
    from: optional(instant).meta({ description: '30 days ago when absent.' }),
    to: optional(instant),
    by: withDefault(z.enum(['hour', 'day']), 'day').meta({
      description: 'By the hour for at most 14 days, by the day for 400.',
    }),
    format: withDefault(z.enum(['json', 'csv']), 'json'),
  }),
  answer: z.object({
    from: z.string(),
    to: z.string(),
    rows: z.array(
      z.object({
        at: z.string().meta({ description: 'Start of the hour or day.' }),
        model: z.string(),
        key_id: z.string(),
        requests: z.int(),
        tokens: z.int(),
        cost_usd: z.number(),
        duration_ms: z.number().meta({ description: 'Of all these requests together.' }),
      }),
    ),
    keys: z
      .record(z.string(), z.string())
      .meta({ description: 'Names of the keys in `rows`; of a person for the console.' }),
  }),
  alternatives: { 'text/csv': 'The same rows, with `format=csv`.' },
  errors: ['INVALID_PARAMETER'],
});

const invoiceHead = z.object({
  month: z.string(),
  number: z.string(),
  spent_usd: z.number(),
  paid_usd: z.number(),
  final: z.boolean().meta({ description: 'false for the month that has not ended.' }),
});

const listInvoices = defineRoute({
  ...common,
  id: 'listInvoices',
  method: 'GET',
  path: '/console/api/billing/invoices',
  summary: 'Months with any use or payment, newest first',
  answer: z.object({ data: z.array(invoiceHead) }),
  errors: [],
});

const getInvoice = defineRoute({
  ...common,
  id: 'getInvoice',
  method: 'GET',
  path: '/console/api/billing/invoices/{month}',
  summary: "A month's invoice, for printing",
  params: z.object({ month: z.string().regex(/^\d{4}-(0[1-9]|1[0-2])$/, 'must be a month such as 2026-01') }),
  answer: invoiceHead.extend({
    issued_on: z.string(),
    seller: z.array(z.string()).meta({ description: "Lines of the operator's name and address." }),
    buyer: z.object({ name: z.string(), address: z.string(), tax_id: z.string(), email: z.string() }),
    lines: z.array(z.object({ model: z.string(), requests: z.int(), tokens: z.int(), cost_usd: z.number() })),
    payments: z.array(z.object({ at: z.string(), amount_usd: z.number(), note: z.string() })),
    credits_usd: z.number().meta({ description: 'Credit that the plan and the operator gave in the month.' }),
    opening_balance_usd: z.number(),
    closing_balance_usd: z.number(),
  }),
  errors: ['INVALID_PARAMETER', 'NOT_FOUND'],
});

const startCheckout = defineRoute({
  ...common,
  role: 'owner',
  id: 'startCheckout',
  method: 'POST',
  path: '/console/api/billing/checkout',
  summary: 'Buy credit',
  body: z.strictObject({ amount_usd: z.number().min(5).max(10_000).multipleOf(0.01) }),
  answer: z.object({ url: z.string().meta({ description: "The payment provider's page, which leads back." }) }),
  errors: ['NOT_FOUND', 'CONFLICT'],
});

const takePayment = defineRoute({
  ...common,
  auth: 'none',
  family: 'none',
  id: 'takePayment',
  method: 'POST',
  path: '/console/payments',
  summary: 'Where the payment provider tells of payments, signed',
  streamed: true,
  bodies: { 'application/json': z.looseObject({}) },
  answer: z.object({ received: z.boolean() }),
  errors: ['NOT_FOUND', 'BAD_REQUEST'],
});

export const consoleBillingRoutes = {
  listPlans,
  getBilling,
  setBudget,
  listLedger,
  getUsageSeries,
  listInvoices,
  getInvoice,
  startCheckout,
  takePayment,
};
