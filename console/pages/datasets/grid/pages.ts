// Rows of a dataset in pages, fetched as they come into sight and kept while they are likely to be seen again.
import { useEffect, useMemo, useSyncExternalStore } from 'react';
import { call } from '../../../api/index.ts';

export type Row = Readonly<Record<string, unknown>>;

const rowsPerPage = 100;
/** Pages that are kept: those around what is seen, some thousand rows. */
const mostPages = 60;
/** Whoever scrolls on within this time doesn't want to see what is between. */
const settleMs = 90;

export interface Pages {
  row: (index: number) => Row | undefined;
  problem: Error | null;
  /** Fetches what failed again. */
  retry: () => void;
}

/** `reference` names a version, whose rows never change. */
export function useRowPages(reference: string, { first, end }: { first: number; end: number }): Pages {
  const shelf = useMemo(() => new Shelf(reference), [reference]);
  const { pages, problem } = useSyncExternalStore(shelf.subscribe, shelf.snapshot);
  useEffect(() => shelf.want(first, end), [shelf, first, end]);
  useEffect(() => () => shelf.close(), [shelf]);
  return {
    row: index => pages.get(Math.floor(index / rowsPerPage))?.[index % rowsPerPage],
    problem,
    retry: () => shelf.retry(),
  };
}

interface Snapshot {
  pages: ReadonlyMap<number, readonly Row[]>;
  problem: Error | null;
}

class Shelf {
  readonly #reference: string;
  #kept: Snapshot = { pages: new Map(), problem: null };
  readonly #pending = new Map<number, AbortController>();
  readonly #listeners = new Set<() => void>();
  #wanted: [from: number, to: number] = [0, -1];
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(reference: string) {
    this.#reference = reference;
  }

  subscribe = (listener: () => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  snapshot = () => this.#kept;

  /** Rows from `first` to before `end` are seen. */
  want(first: number, end: number): void {
    this.#wanted = end > first ? [Math.floor(first / rowsPerPage), Math.floor((end - 1) / rowsPerPage)] : [0, -1];
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#fetch(), this.#kept.pages.size === 0 ? 0 : settleMs);
  }

  retry(): void {
    this.#put({ ...this.#kept, problem: null });
    this.#fetch();
  }

  close(): void {
    clearTimeout(this.#timer);
    for (const controller of this.#pending.values()) controller.abort();
  }

  #fetch(): void {
    const [from, to] = this.#wanted;
    for (const [page, controller] of this.#pending) {
      if (page >= from && page <= to) continue;
      controller.abort();
      // It may be wanted again before the abort is through.
      this.#pending.delete(page);
    }
    if (this.#kept.problem) return;
    for (let page = from; page <= to; page++)
      if (!this.#kept.pages.has(page) && !this.#pending.has(page)) void this.#read(page);
  }

  async #read(page: number): Promise<void> {
    const controller = new AbortController();
    this.#pending.set(page, controller);
    try {
      const rows = await readPage(this.#reference, page, controller.signal);
      const pages = new Map(this.#kept.pages).set(page, rows);
      for (const oldest of pages.keys()) if (pages.size > mostPages) pages.delete(oldest);
      this.#put({ ...this.#kept, pages });
    } catch (thrown) {
      if (!controller.signal.aborted)
        this.#put({ ...this.#kept, problem: thrown instanceof Error ? thrown : new Error(String(thrown)) });
    } finally {
      if (this.#pending.get(page) === controller) this.#pending.delete(page);
    }
  }

  #put(kept: Snapshot): void {
    this.#kept = kept;
    for (const listener of this.#listeners) listener();
  }
}

/** A page of large rows ends early; then the rest is asked for. */
async function readPage(reference: string, page: number, signal: AbortSignal): Promise<readonly Row[]> {
  const rows: Row[] = [];
  for (;;) {
    const query = { offset: page * rowsPerPage + rows.length, limit: rowsPerPage - rows.length };
    const { data, has_more: more } = await call('getRows', { params: { id: reference }, query }, { signal });
    rows.push(...data);
    if (!more || rows.length >= rowsPerPage || data.length === 0) return rows;
  }
}
