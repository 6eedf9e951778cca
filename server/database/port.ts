// The database port: what the features may ask of a database, whichever of the two is behind it.

import { types } from 'pg';
import type { Topic } from './announcements.ts';
import type { DumpTarget } from './dump.ts';

export interface Statement {
  sql: string;
  values?: unknown[];
  /** Of one that is posted often: a statement of the same SQL that does what this one does and then `next`. */
  merge?(next: Statement): Statement;
}

export type Row = Record<string, unknown>;

/**
 * PostgreSQL's dialect over PGlite or PostgreSQL. Both give the same JavaScript values: bigint columns as `bigint`, numeric and
 * date as text, timestamptz as `Date`, json parsed, bytea as `Uint8Array`. Lists of rows go in as one JSON text.
 */
export interface Database {
  readonly kind: 'pglite' | 'postgresql';
  /** Runs one statement and gives its rows. Throws DatabaseError. */
  query<T = Row>(sql: string, values?: unknown[]): Promise<T[]>;
  /** Runs all statements in one transaction, atomically, and gives the rows of each. Throws DatabaseError, then nothing is done. */
  transaction(statements: Statement[]): Promise<Row[][]>;
  /**
   * As `transaction`, for statements that are idempotent and whose rows nobody needs: durable when it resolves, and seen by all that
   * is asked later, but the embedded database may still have them before it (journal.ts). Of statements that are posted together,
   * one that the embedded database refuses takes no other with it.
   */
  post(statements: Statement[]): Promise<void>;
  /** Runs several statements without values, in one transaction. */
  script(sql: string): Promise<void>;
  /** Tells this process at once, and every other on the same PostgreSQL a moment later, that what `topic` names has changed. */
  announce(topic: Topic): Promise<void>;
  /** Calls `listener` at every announcement, and also whenever one may have been missed. */
  onAnnouncement(topic: Topic, listener: () => void): void;
  /** Writes every table to one file as of one moment (see dump.ts). */
  dump(target: DumpTarget): Promise<void>;
  /** Finishes what is running and closes. Calls after that are rejected. */
  close(): Promise<void>;
}

/** A statement that the database refused, or a database that is gone (`code` is then `CONNECTION_LOST`). */
export class DatabaseError extends Error {
  override readonly name = 'DatabaseError';
  /** PostgreSQL's five letters, such as 23505 for a unique violation. */
  readonly code: string;
  readonly constraint: string | undefined;
  constructor(message: string, { code, constraint }: { code: string; constraint?: string | undefined }) {
    super(message);
    this.code = code;
    this.constraint = constraint;
  }
}

/** A connection with a transaction open on it. */
export interface Connection {
  query(sql: string, values?: unknown[]): Promise<Row[]>;
}

/** How a value of a type (by its number in PostgreSQL) becomes JavaScript's, for both implementations. */
export function parserOf(type: number): (text: string) => unknown {
  return typeParsers[type] ?? types.getTypeParser(type);
}

const typeParsers: Record<number, (text: string) => unknown> = {
  17: text => new Uint8Array(Buffer.from(text.slice(2), 'hex')), // bytea, without Buffer's other ways
  20: text => BigInt(text), // bigint
  1082: text => text, // date: a Date object would move it by the time zone
  1700: text => text, // numeric
};
