// The door of accounts.
export { accountFrom, AccountError, createAccounts, monthOf } from './accounts.ts';
export type { Account, AccountPatch, Accounts, Budget, NewAccount } from './accounts.ts';
export { checkDeletable, createDeletion, type Deletion } from './deletion.ts';
