// Rows of a dataset in pages, fetched as they come into sight and kept while they are likely to be seen again.
import { useEffect, useReducer, useRef } from 'react';
import { ApiProblem, call } from '../../../api/index.ts';

export type Row = Readonly<Record<string, unknown>>;

export const rowsPerPage = 100;
/** Pages that are kept: those around what is seen, some thousand rows. */
const mostPages = 60;
/** Whoever scrolls on within this time doesn't want to see what is between. */
const settleMs = 90;

interface Shelf {
  pages: Map<number, readonly Row[]>;
  pending: Map<number, AbortController>;
}

export interface Pages {
  row: (index: number) => Row | undefined;
  problem: Error | null;
  /** Fetches the pages that failed again. */
  retry: () => void;
}

/** `reference` names a version, whose rows never change. */
export function useRowPages(reference: string, { first, end }: { first: number; end: number }): Pages {
  const shelf = useRef<Shelf & { of: string }>({ of: reference, pages: new Map(), pending: new Map() });
  const problem = useRef<Error | null>(null);
  const [, redraw] = useReducer((count: number) => count + 1, 0);
  if (shelf.current.of !== reference) {
    for (const controller of shelf.current.pending.values()) controller.abort();
    shelf.current = { of: reference, pages: new Map(), pending: new Map() };
    problem.current = null;
  }
  const [from, to] = [Math.floor(first / rowsPerPage), Math.floor(Math.max(first, end - 1) / rowsPerPage)];

  useEffect(() => {
    const { pages, pending } = shelf.current;
    const wanted = Array.from({ length: to - from + 1 }, (_, index) => from + index);
    for (const [page, controller] of pending) if (page < from || page > to) controller.abort();
    const missing = end > first ? wanted.filter(page => !pages.has(page) && !pending.has(page)) : [];
    const read = async (page: number) => {
      const controller = new AbortController();
      pending.set(page, controller);
      try {
        pages.set(page, await readPage(reference, page, controller.signal));
        while (pages.size > mostPages) pages.delete(pages.keys().next().value ?? page);
        redraw();
      } catch (thrown) {
        if (!controller.signal.aborted) {
          problem.current =
            thrown instanceof Error ? thrown : new ApiProblem(String(thrown), { status: 0, code: 'UNKNOWN' });
          redraw();
        }
      } finally {
        pending.delete(page);
      }
    };
    if (missing.length === 0 || problem.current) return undefined;
    const timer = setTimeout(() => missing.forEach(page => void read(page)), pages.size === 0 ? 0 : settleMs);
    return () => clearTimeout(timer);
  });

  return {
    row: index => shelf.current.pages.get(Math.floor(index / rowsPerPage))?.[index % rowsPerPage],
    problem: problem.current,
    retry: () => {
      problem.current = null;
      redraw();
    },
  };
}

/** A page of large rows ends early; then the rest is asked for. */
async function readPage(reference: string, page: number, signal: AbortSignal): Promise<readonly Row[]> {
  const rows: Row[] = [];
  for (;;) {
    const query = { offset: String(page * rowsPerPage + rows.length), limit: String(rowsPerPage - rows.length) };
    const { data, has_more: more } = await call('getRows', { params: { id: reference }, query }, { signal });
    rows.push(...data);
    if (!more || rows.length >= rowsPerPage || data.length === 0) return rows;
  }
}
