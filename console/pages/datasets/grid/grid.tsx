// A table of any length: only what is seen is drawn, and rows are asked for as they come into sight.
import { type ReactNode, memo, useEffect, useLayoutEffect, useMemo, useRef, useState } from 'react';
import { useFormat } from '../../../messages/format.ts';
import { classes } from '../../../ui/classes.ts';
import { useDatasetText } from '../text.ts';
import { cellText, isNumeric } from './cells.ts';
import type { Row } from './pages.ts';
import { columnWindow, rowWindow, scrollTopOf } from './window.ts';

export interface GridColumn {
  name: string;
  type: string;
  /** Under the name in the head, e.g. its distribution. */
  head?: ReactNode;
  /** Came or changed in a preview. */
  fresh?: boolean;
}

interface GridProps {
  label: string;
  columns: readonly GridColumn[];
  rows: number;
  row: (index: number) => Row | undefined;
  /** Told which rows are seen. */
  onWindow?: (window: { first: number; end: number }) => void;
  headHeight: number;
  className?: string;
}

const rowHeight = 33;

export function Grid({ label, columns, rows, row, onWindow, headHeight, className }: GridProps) {
  const text = useDatasetText();
  const format = useFormat();
  const area = useRef<HTMLDivElement>(null);
  const [seen, setSeen] = useState({ top: 0, left: 0, width: 1200, height: 640 });
  const edges = useMemo(() => columnEdges(columns), [columns]);
  const numberWidth = 34 + format.number(rows).length * 7;
  const height = Math.max(rowHeight, seen.height - headHeight);
  const shown = rowWindow({ rows, rowHeight, scrollTop: seen.top, height });
  const [firstColumn, endColumn] = columnWindow(edges, { left: seen.left, width: seen.width });

  useLayoutEffect(() => {
    const element = area.current;
    if (!element) return undefined;
    const look = () =>
      setSeen({
        top: element.scrollTop,
        left: element.scrollLeft,
        width: element.clientWidth,
        height: element.clientHeight,
      });
    let frame = 0;
    const onScroll = () => {
      cancelAnimationFrame(frame);
      frame = requestAnimationFrame(look);
    };
    const observer = new ResizeObserver(look);
    observer.observe(element);
    element.addEventListener('scroll', onScroll, { passive: true });
    return () => {
      observer.disconnect();
      element.removeEventListener('scroll', onScroll);
      cancelAnimationFrame(frame);
    };
  }, []);
  useEffect(() => onWindow?.({ first: shown.first, end: shown.end }), [onWindow, shown.first, shown.end]);

  const width = edges.at(-1) ?? 0;
  return (
    <div
      ref={area}
      role="table"
      aria-label={label}
      aria-rowcount={rows + 1}
      aria-colcount={columns.length}
      // It is scrolled by keys, so it can be gone to.
      // oxlint-disable-next-line jsx-a11y/no-noninteractive-tabindex
      tabIndex={0}
      onKeyDown={event => {
        if (!(event.ctrlKey || event.metaKey) || (event.key !== 'Home' && event.key !== 'End') || !area.current) return;
        event.preventDefault();
        area.current.scrollTop = event.key === 'Home' ? 0 : scrollTopOf(rows, { rows, rowHeight, height });
      }}
      className={classes('relative overflow-auto overscroll-x-contain bg-surface text-sm', className)}
    >
      <div role="rowgroup" className="sticky top-0 z-10 bg-surface" style={{ width: width + numberWidth }}>
        <div role="row" aria-rowindex={1} className="relative border-b border-line" style={{ height: headHeight }}>
          <span
            className="absolute inset-y-0 left-0 flex items-start justify-end px-3 pt-2.5 text-xs text-faint"
            style={{ width: numberWidth }}
            aria-hidden="true"
          >
            #
          </span>
          {columns.slice(firstColumn, endColumn).map((column, index) => (
            <div
              key={column.name}
              role="columnheader"
              aria-colindex={firstColumn + index + 1}
              className={classes(
                'absolute inset-y-0 overflow-hidden border-l border-line px-3 pt-2',
                column.fresh && 'bg-accent-soft',
              )}
              style={{
                left: numberWidth + (edges[firstColumn + index] ?? 0),
                width: widthOf(edges, firstColumn + index),
              }}
            >
              <div className="flex items-baseline justify-between gap-2">
                <span className="truncate font-medium" title={column.name}>
                  {column.name}
                </span>
                <span className="shrink-0 font-mono text-xs text-faint">{shortType(column.type)}</span>
              </div>
              {column.head}
            </div>
          ))}
        </div>
      </div>
      <div role="rowgroup" style={{ height: shown.totalHeight, width: width + numberWidth }} className="relative">
        <div className="absolute inset-x-0 top-0" style={{ transform: `translateY(${shown.offset}px)` }}>
          {Array.from({ length: shown.end - shown.first }, (_, index) => (
            <GridRow
              key={shown.first + index}
              index={shown.first + index}
              number={format.number(shown.first + index + 1)}
              row={row(shown.first + index)}
              columns={columns}
              edges={edges}
              firstColumn={firstColumn}
              endColumn={endColumn}
              numberWidth={numberWidth}
              waiting={text('rowComing')}
            />
          ))}
        </div>
      </div>
    </div>
  );
}

interface RowProps {
  index: number;
  number: string;
  row: Row | undefined;
  columns: readonly GridColumn[];
  edges: readonly number[];
  firstColumn: number;
  endColumn: number;
  /** Of the rows' numbers. */
  numberWidth: number;
  waiting: string;
}

const GridRow = memo(function GridRow({
  index,
  number,
  row,
  columns,
  edges,
  firstColumn,
  endColumn,
  numberWidth,
  waiting,
}: RowProps) {
  return (
    <div
      role="row"
      aria-rowindex={index + 2}
      className="relative border-b border-line/70 hover:bg-hover/60"
      style={{ height: rowHeight }}
    >
      <span
        className="absolute inset-y-0 left-0 flex items-center justify-end px-3 text-xs text-faint"
        style={{ width: numberWidth }}
        aria-hidden="true"
      >
        {number}
      </span>
      {columns.slice(firstColumn, endColumn).map(({ name, type, fresh }, at) => {
        const column = firstColumn + at;
        const value = row?.[name];
        return (
          <span
            key={name}
            role="cell"
            aria-colindex={column + 1}
            className={classes(
              'absolute inset-y-0 truncate border-l border-line/70 px-3 leading-8',
              isNumeric(type) && 'text-right tabular-nums',
              fresh && 'bg-accent-soft/50',
            )}
            style={{ left: numberWidth + (edges[column] ?? 0), width: widthOf(edges, column) }}
          >
            {row === undefined ? (
              <span aria-label={waiting} className="mt-3 block h-2 w-1/2 rounded-sm bg-hover" />
            ) : value === null || value === undefined ? (
              <span className="text-faint italic">null</span>
            ) : (
              cellText(value)
            )}
          </span>
        );
      })}
    </div>
  );
});

/** Where each column begins, and where the last ends. */
function columnEdges(columns: readonly GridColumn[]): number[] {
  let at = 0;
  return [0, ...columns.map(({ name, type }) => (at += columnWidth(name, type)))];
}

function columnWidth(name: string, type: string): number {
  const least = Math.min(260, 60 + (name.length + shortType(type).length) * 7.2);
  const usual = type === 'VARCHAR' ? 190 : /\[|STRUCT|MAP|JSON/.test(type) ? 240 : /TIMESTAMP/.test(type) ? 180 : 168;
  return Math.round(Math.max(least, usual));
}

function widthOf(edges: readonly number[], column: number): number {
  return (edges[column + 1] ?? 0) - (edges[column] ?? 0);
}

const shortTypes: Record<string, string> = {
  VARCHAR: 'text',
  BIGINT: 'int',
  INTEGER: 'int',
  DOUBLE: 'number',
  FLOAT: 'number',
  BOOLEAN: 'bool',
  DATE: 'date',
  TIMESTAMP: 'time',
  'TIMESTAMP WITH TIME ZONE': 'time',
};

export function shortType(type: string): string {
  const known = shortTypes[type];
  if (known) return known;
  if (/^(FLOAT|DOUBLE)\[\d*\]$/.test(type)) return 'vector';
  return type.length > 14 ? `${type.slice(0, 13).toLowerCase()}…` : type.toLowerCase();
}
