// The door of the audit log.
export { type Audit, type AuditEntry, type Deed, createAudit, deedStatement, shownAudit } from './audit.ts';
