// Values that are written: a list in one line, pairs of old and new, and rules.
import { Plus, X } from 'lucide-react';
import { useState } from 'react';
import { Button } from '../../../ui/button.tsx';
import { classes } from '../../../ui/classes.ts';
import { TextField, controlClasses } from '../../../ui/field.tsx';
import { Select } from '../../../ui/select.tsx';
import { type Field, castTypes } from '../operations/catalog.ts';
import type { TableColumn } from './field-columns.tsx';
import { record, scalar, string } from './field-values.ts';
import { useOperationText } from './text.ts';

export function List({
  label,
  hint,
  value,
  numbers,
  onChange,
}: {
  label: string;
  hint: string;
  value: unknown;
  numbers: boolean;
  onChange: (value: unknown) => void;
}) {
  const [written, setWritten] = useState(() => (Array.isArray(value) ? value.map(String).join(', ') : ''));
  return (
    <TextField
      label={label}
      value={written}
      placeholder={hint}
      onChange={event => {
        setWritten(event.target.value);
        const parts = event.target.value
          .split(',')
          .map(part => part.trim())
          .filter(part => part !== '');
        onChange(parts.length === 0 ? undefined : numbers ? parts.map(scalar) : parts);
      }}
    />
  );
}

type MappingField = Extract<Field, { kind: 'mapping' }>;

export function Mapping({
  field,
  label,
  value,
  onChange,
  columns,
}: {
  field: MappingField;
  label: string;
  value: unknown;
  onChange: (value: unknown) => void;
  columns: readonly TableColumn[];
}) {
  const text = useOperationText();
  const [lines, setLines] = useState<readonly [string, string][]>(() => {
    const known = Object.entries(record(value)).map(([from, to]): [string, string] => [
      from,
      string(to) || String(to as number),
    ]);
    return known.length > 0 ? known : [['', field.values === 'type' ? castTypes[0] : '']];
  });
  const put = (next: readonly [string, string][]) => {
    setLines(next);
    const given = next.flatMap(([from, to]): [string, unknown][] =>
      from === '' || to === ''
        ? []
        : [[from, field.values === 'number' || field.values === 'scalar' ? scalar(to) : to]],
    );
    onChange(given.length === 0 ? undefined : Object.fromEntries(given));
  };
  const set = (index: number, changes: { from?: string; to?: string }) =>
    put(lines.map(([from, to], at) => (at === index ? [changes.from ?? from, changes.to ?? to] : [from, to])));
  return (
    <fieldset className="min-w-0">
      <legend className="mb-1.5 text-sm font-medium">{label}</legend>
      <div className="flex flex-col gap-2">
        {lines.map(([from, to], index) => (
          // Lines have no name but their place.
          // oxlint-disable-next-line react/no-array-index-key
          <div key={index} className="flex items-center gap-1.5">
            {field.keys === 'column' ? (
              <Select
                hideLabel
                label={text('from')}
                className="flex-1"
                value={from}
                onChange={name => set(index, { from: name })}
                choices={columns.map(({ name }) => ({ value: name, label: name }))}
              />
            ) : (
              <input
                aria-label={text('from')}
                value={from}
                onChange={event => set(index, { from: event.target.value })}
                className={classes(controlClasses, 'h-9 flex-1')}
              />
            )}
            <span aria-hidden="true" className="text-faint">
              →
            </span>
            {field.values === 'type' ? (
              <Select
                hideLabel
                label={text('to')}
                className="flex-1"
                value={to}
                onChange={type => set(index, { to: type })}
                choices={[...new Set([...castTypes, to])].map(type => ({ value: type, label: type }))}
              />
            ) : (
              <input
                aria-label={text('to')}
                value={to}
                placeholder={field.values === 'expression' ? 'count(*)' : field.values === 'number' ? '0.8' : ''}
                onChange={event => set(index, { to: event.target.value })}
                className={classes(controlClasses, 'h-9 flex-1', field.values === 'expression' && 'font-mono text-sm')}
              />
            )}
            <Button
              size="icon"
              look="quiet"
              aria-label={text('removeLine')}
              disabled={lines.length === 1}
              onClick={() => put(lines.filter((_, at) => at !== index))}
            >
              <X />
            </Button>
          </div>
        ))}
        <Button
          size="small"
          look="quiet"
          icon={<Plus />}
          className="self-start"
          onClick={() => setLines([...lines, ['', field.values === 'type' ? castTypes[0] : '']])}
        >
          {text('addLine')}
        </Button>
      </div>
    </fieldset>
  );
}

/** A list of {name, expression}, written like a mapping. */
export function Rules({
  label,
  value,
  onChange,
}: {
  label: string;
  value: unknown;
  onChange: (value: unknown) => void;
}) {
  const known = Array.isArray(value)
    ? Object.fromEntries(value.map(each => [string(record(each)['name']), string(record(each)['expression'])]))
    : {};
  return (
    <Mapping
      field={{ name: 'rules', kind: 'mapping', keys: 'text', values: 'expression' }}
      label={label}
      value={known}
      columns={[]}
      onChange={mapping =>
        onChange(Object.entries(record(mapping)).map(([name, expression]) => ({ name, expression })))
      }
    />
  );
}
