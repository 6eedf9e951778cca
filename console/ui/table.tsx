// A table of some rows: columns are records, cells keep their alignment, narrow screens scroll it sideways.
import type { ReactNode } from 'react';
import { classes } from './classes.ts';

export interface Column<Row> {
  /** Unique in the table. */
  id: string;
  title: ReactNode;
  cell: (row: Row) => ReactNode;
  /** Numbers stand at the end. */
  align?: 'start' | 'end';
  className?: string;
}

interface TableProps<Row> {
  /** Says what the table holds to people who hear it. */
  label: string;
  columns: readonly Column<Row>[];
  rows: readonly Row[];
  rowId: (row: Row) => string;
  /** The whole row can be pressed; the first cell should hold a link or button for keyboards. */
  onRow?: (row: Row) => void;
  /** A row that stands out. */
  isCurrent?: (row: Row) => boolean;
}

export function Table<Row>({ label, columns, rows, rowId, onRow, isCurrent }: TableProps<Row>) {
  return (
    <div className="relative overflow-x-auto" tabIndex={0} role="region" aria-label={label}>
      <table className="w-full border-collapse text-left text-sm">
        <thead>
          <tr className="border-b border-line">
            {columns.map(column => (
              <th
                key={column.id}
                scope="col"
                className={classes(
                  'h-9 px-3 font-medium whitespace-nowrap text-muted first:pl-5 last:pr-5',
                  column.align === 'end' && 'text-right',
                )}
              >
                {column.title}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.map(row => (
            <tr
              key={rowId(row)}
              {...(onRow && { onClick: () => onRow(row) })}
              className={classes(
                'border-b border-line last:border-b-0',
                onRow && 'cursor-pointer hover:bg-hover/60',
                isCurrent?.(row) && 'bg-accent-soft',
              )}
            >
              {columns.map(column => (
                <td
                  key={column.id}
                  className={classes(
                    'h-11 px-3 first:pl-5 last:pr-5',
                    column.align === 'end' && 'text-right',
                    column.className,
                  )}
                >
                  {column.cell(row)}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
