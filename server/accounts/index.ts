// The door of accounts.
export { accountFrom, AccountError, createAccounts, monthOf } from './accounts.ts';
export type { Account, AccountPatch, Accounts, Budget, NewAccount } from './accounts.ts';
