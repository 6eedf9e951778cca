// The door of the database: one port over PGlite or PostgreSQL, its tables, group commit, and backups.
export { backup, restore } from './backup.ts';
export { createGroupCommit } from './group-commit.ts';
export type { GroupCommit, Writer } from './group-commit.ts';
export { derivedId, newId } from './ids.ts';
export { openDatabase } from './open.ts';
export type { OpenOptions } from './open.ts';
export { FolderInUse } from './pglite.ts';
export { DatabaseError } from './port.ts';
export type { Database, Row, Statement } from './port.ts';
