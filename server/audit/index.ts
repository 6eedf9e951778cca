// The door of the audit log.
export { type Audit, type AuditEntry, type Deed, createAudit, shownAudit } from './audit.ts';
