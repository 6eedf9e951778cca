// The API as the console uses it: typed calls, queries that are kept, changes that make others look again.
export { type Answer, type Input, type RouteName, accountHeader, addressOf, call, request } from './client.ts';
export { ApiProblem } from './problem.ts';
export { queries, useChange, useRoute } from './queries.ts';
export {
  type Role,
  type Session,
  loadSession,
  reloadSession,
  signOut,
  switchAccount,
  useMay,
  useSession,
} from './session.ts';
