// The messages between a program and the thread (or process) that holds the embedded database.
import type { DumpTarget } from './dump.ts';
import type { Row, Statement } from './port.ts';

export type Request =
  | { kind: 'transaction'; statements: Statement[] }
  | { kind: 'script'; sql: string }
  | { kind: 'dump'; target: DumpTarget }
  | { kind: 'close' };

/** What can go to another thread. */
export const plain = ({ sql, values }: Statement): Statement => (values ? { sql, values } : { sql });

export interface Numbered {
  id: number;
  request: Request;
}

/** Request 0 is the opening itself. */
export type Reply =
  | { id: number; rows: Row[][] }
  | { id: number; error: { message: string; code: string; constraint?: string | undefined } };

/** Sends a request to where the database is and gives the rows of each statement. Throws DatabaseError. */
export type Call = (request: Request) => Promise<Row[][]>;
