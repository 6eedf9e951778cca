// Networks for tables: from raw columns to predictions, and how they are trained.
export { createTabular } from './network.ts';
export { numbers, probabilities } from './outputs.ts';
export { type Choices, planTabular, PlanError } from './plan.ts';
export type { Algorithm, Feature, TabularNetwork, TabularPlan, Target } from './types.ts';
