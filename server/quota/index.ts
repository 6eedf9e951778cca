// The door of the quota: the storage of an account's plan, which datasets and models share.
export { type Quota, type Reservation, createQuota } from './quota.ts';
