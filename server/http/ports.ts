// What http needs of its neighbours, until their doors are there.
export interface Counter {
  name: 'minute' | 'hour' | 'day';
  limit: number;
  remaining: number;
  resetAt: Date;
}
export interface Plan {
  name: string;
  vectors: { minute: number | null; hour: number | null; batch: number };
}
export interface Caller {
  account: { id: string; email: string; plan: Plan; defaultModel: string; billed: boolean };
  key: {
    id: string;
    name: string;
    admin: boolean;
    scopes: string[] | null;
    models: string[] | null;
    budgetPicodollars: bigint | null;
    expiresAt: Date | null;
  };
}
export interface Limiter {
  admit(
    caller: Caller,
    family: 'vectors' | 'data' | 'read',
    cost?: number,
  ): Promise<{ admitted: boolean; counters: Counter[]; refusedBy?: Counter }>;
}
export interface Keys {
  authenticate(secret: string): Promise<Caller | null>;
}
export interface Database {
  query<Row>(sql: string, values?: unknown[]): Promise<Row[]>;
}
