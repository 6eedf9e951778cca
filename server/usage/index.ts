// The door of usage: money reserved and settled, and what was used.
export { createLedger } from './ledger.ts';
export type { Ledger, LedgerOptions, Reservation, Usage } from './ledger.ts';
export { InsufficientBalance } from './purses.ts';
export type { Reports, ServiceMetrics, UsageReport, UsageSums } from './reports.ts';
