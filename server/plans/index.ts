// The door of plans: what a plan allows, the limiter that counts it, and money as integers.
export { createLimiter } from './limiter.ts';
export type { Limiter } from './limiter.ts';
export { formatUsd, picodollarsPerUsd, picodollarsToUsd, usdToPicodollars } from './money.ts';
export { loadPlans, overridesSchema, parsePlans, withOverrides } from './plans.ts';
export type { Definition, Overrides, Plan, Plans, Tier } from './plans.ts';
export { createPlanStore, type PlanStore } from './store.ts';
export type { Admission, Counter, Family } from './windows.ts';
