// The door of keys.
export { administratorEmail, ensureAdministrator, makeAdminKey } from './administrator.ts';
export type { AdministratorOptions } from './administrator.ts';
export { createKeys, KeyError } from './keys.ts';
export type { Caller, Key, Keys, NewKey } from './keys.ts';
