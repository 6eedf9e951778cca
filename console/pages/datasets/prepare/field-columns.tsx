// Columns of the table to choose from: several, one, or in an order.
import { ArrowDownAZ, ArrowUpAZ, X } from 'lucide-react';
import { Button } from '../../../ui/button.tsx';
import { Select } from '../../../ui/select.tsx';
import { roleOf } from '../../models/train-defaults.ts';
import type { ColumnKind } from '../operations/catalog.ts';
import { useOperationText } from './text.ts';

export interface TableColumn {
  name: string;
  type: string;
}

interface ColumnsProps {
  label: string;
  value: readonly string[];
  onChange: (value: readonly string[]) => void;
  columns: readonly TableColumn[];
  optional: boolean;
  error: string | null;
}

/** Names to press, in the order in which they were pressed. */
export function Columns({ label, value, onChange, columns, optional, error }: ColumnsProps) {
  const text = useOperationText();
  // One that another step has renamed or dropped can still be taken off.
  const names = [...new Set([...columns.map(({ name }) => name), ...value])];
  return (
    <fieldset className="min-w-0">
      <legend className="mb-1.5 flex w-full justify-between text-sm font-medium">
        {label}
        {optional && value.length === 0 && <span className="text-xs font-normal text-faint">{text('all')}</span>}
      </legend>
      <div className="flex max-h-40 flex-wrap gap-1 overflow-y-auto">
        {names.map(name => {
          const chosen = value.includes(name);
          return (
            <button
              key={name}
              type="button"
              aria-pressed={chosen}
              onClick={() => onChange(chosen ? value.filter(each => each !== name) : [...value, name])}
              className="max-w-full truncate rounded-full border border-line-strong px-2.5 py-0.5 text-sm text-muted transition-colors hover:text-ink aria-pressed:border-accent aria-pressed:bg-accent-soft aria-pressed:text-accent"
            >
              {name}
            </button>
          );
        })}
      </div>
      {error && (
        <p role="alert" className="mt-1.5 text-sm text-bad">
          {error}
        </p>
      )}
    </fieldset>
  );
}

interface OneColumnProps {
  label: string;
  value: string;
  onChange: (value: unknown) => void;
  columns: readonly TableColumn[];
  optional: boolean;
}

export function OneColumn({ label, value, onChange, columns, optional }: OneColumnProps) {
  const text = useOperationText();
  return (
    <Select
      label={label}
      value={value}
      onChange={name => onChange(name === '' ? undefined : name)}
      choices={[
        ...(optional ? [{ value: '', label: text('notSaid') }] : []),
        ...columns.map(({ name }) => ({ value: name, label: name })),
      ]}
    />
  );
}

interface OrderProps {
  label: string;
  value: readonly unknown[];
  onChange: (value: unknown) => void;
  columns: readonly TableColumn[];
}

/** Columns with a direction: `name` ascending, `-name` descending. */
export function Order({ label, value, onChange, columns }: OrderProps) {
  const text = useOperationText();
  const names = value.filter(each => typeof each === 'string');
  const left = columns.filter(({ name }) => !names.some(each => each.replace(/^-/, '') === name));
  return (
    <div className="flex flex-col gap-2">
      {names.map((each, index) => {
        const descending = each.startsWith('-');
        const name = each.replace(/^-/, '');
        return (
          <div key={name} className="flex items-center gap-1.5 rounded-md border border-line px-2.5 py-1">
            <span className="min-w-0 flex-1 truncate">{name}</span>
            <Button
              size="icon"
              look="quiet"
              aria-label={`${name}: ${descending ? text('descending') : text('ascending')}`}
              onClick={() =>
                onChange(names.map((other, at) => (at === index ? (descending ? name : `-${name}`) : other)))
              }
            >
              {descending ? <ArrowUpAZ /> : <ArrowDownAZ />}
            </Button>
            <Button
              size="icon"
              look="quiet"
              aria-label={text('removeLine')}
              onClick={() => onChange(names.filter((_, at) => at !== index))}
            >
              <X />
            </Button>
          </div>
        );
      })}
      {left.length > 0 && (
        <Select
          label={label}
          value=""
          onChange={name => {
            if (name !== '') onChange([...names, name]);
          }}
          choices={[
            { value: '', label: text('chooseColumns') },
            ...left.map(({ name }) => ({ value: name, label: name })),
          ]}
        />
      )}
    </div>
  );
}

/** Those that an operation is for, or all when none is. */
export function fitting(columns: readonly TableColumn[], of: ColumnKind | undefined): readonly TableColumn[] {
  if (of === undefined) return columns;
  const fit = columns.filter(({ type }) => {
    if (of === 'vector') return /^(FLOAT|DOUBLE)\[\d*\]$/.test(type);
    return roleOf(type) === (of === 'text' ? 'category' : of);
  });
  return fit.length > 0 ? fit : columns;
}

/** A condition on the first column, as a hint. */
export function exampleCondition(columns: readonly TableColumn[]): string {
  const number = columns.find(({ type }) => roleOf(type) === 'number');
  const [first] = columns;
  if (number) return `"${number.name}" > 0`;
  return first ? `"${first.name}" IS NOT NULL` : '';
}
