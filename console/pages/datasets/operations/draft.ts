// The list of operations that somebody is putting together: to and from the API's JSON, and with every step taken back or done again.
import { type Family, operationKind } from './catalog.ts';

export interface Operation {
  type: Family;
  params?: Record<string, unknown> | null | undefined;
}

export interface Draft {
  /** Of this page's life, so that a form stays with its operation when others are moved. */
  id: number;
  family: Family;
  /** As in the catalog: `automatic` is `clean` without `op`. One that the catalog doesn't know keeps its parameters as they are. */
  op: string;
  values: Record<string, unknown>;
}

export function toOperation({ family, op, values }: Draft): Operation {
  const given = Object.entries(values).filter(([, value]) => isGiven(value));
  return { type: family, params: Object.fromEntries([...(op === 'automatic' ? [] : [['op', op]]), ...given]) };
}

export function toDraft({ type, params }: Operation, id: number): Draft {
  const { op, ...values } = params ?? {};
  return { id, family: type, op: typeof op === 'string' ? op : 'automatic', values };
}

/** Names of required parameters that are still empty. */
export function missing({ family, op, values }: Draft): string[] {
  const fields = operationKind(family, op)?.fields ?? [];
  return fields.flatMap(({ name, required }) => (required && !isGiven(values[name]) ? [name] : []));
}

/** An empty form field, list or table says nothing; `replacement: ""` is said by typing nothing over something, so texts may be empty. */
function isGiven(value: unknown): boolean {
  if (value === undefined || value === null) return false;
  if (Array.isArray(value)) return value.length > 0;
  return typeof value !== 'object' || Object.keys(value).length > 0;
}

/** What has been made, with the way back and forth. */
export interface History {
  past: readonly (readonly Draft[])[];
  present: readonly Draft[];
  future: readonly (readonly Draft[])[];
  /** Changes one after the other that have the same mark are one step back: the letters of a word. */
  mark: string | null;
}

export type Change =
  | { kind: 'add'; family: Family; op: string; values?: Record<string, unknown> }
  | { kind: 'set'; id: number; name: string; value: unknown }
  | { kind: 'remove'; id: number }
  | { kind: 'move'; id: number; by: -1 | 1 }
  | { kind: 'replace'; operations: readonly Operation[] }
  | { kind: 'undo' }
  | { kind: 'redo' };

export const emptyHistory: History = { past: [], present: [], future: [], mark: null };

export function change(history: History, by: Change): History {
  const { past, present, future } = history;
  if (by.kind === 'undo') {
    const before = past.at(-1);
    return before ? { past: past.slice(0, -1), present: before, future: [present, ...future], mark: null } : history;
  }
  if (by.kind === 'redo') {
    const [after, ...rest] = future;
    return after ? { past: [...past, present], present: after, future: rest, mark: null } : history;
  }
  const next = changed(present, { by, fresh: nextId(history) });
  if (next === present) return history;
  const mark = by.kind === 'set' ? `${by.id} ${by.name}` : null;
  const goesOn = mark !== null && mark === history.mark;
  return { past: goesOn ? past : [...past, present], present: next, future: [], mark };
}

function changed(
  drafts: readonly Draft[],
  { by, fresh }: { by: Exclude<Change, { kind: 'undo' | 'redo' }>; fresh: number },
): readonly Draft[] {
  switch (by.kind) {
    case 'add':
      return [...drafts, { id: fresh, family: by.family, op: by.op, values: by.values ?? {} }];
    case 'set':
      return drafts.map(draft =>
        draft.id === by.id ? { ...draft, values: { ...draft.values, [by.name]: by.value } } : draft,
      );
    case 'remove':
      return drafts.filter(({ id }) => id !== by.id);
    case 'move': {
      const from = drafts.findIndex(({ id }) => id === by.id);
      const [moved, other] = [drafts[from], drafts[from + by.by]];
      if (!moved || !other) return drafts;
      return drafts.map(draft => (draft === moved ? other : draft === other ? moved : draft));
    }
    case 'replace':
      return by.operations.map((operation, index) => toDraft(operation, fresh + index));
  }
}

/** Never given before, also not to what was taken back. */
function nextId({ past, present, future }: History): number {
  return 1 + Math.max(0, ...[...past, present, ...future].flatMap(drafts => drafts.map(({ id }) => id)));
}
