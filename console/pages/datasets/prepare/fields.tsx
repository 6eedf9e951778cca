// The controls of an operation's parameters.
import { ArrowDownAZ, ArrowUpAZ, Plus, X } from 'lucide-react';
import { useState } from 'react';
import { useRoute } from '../../../api/index.ts';
import { Button } from '../../../ui/button.tsx';
import { Checkbox } from '../../../ui/checkbox.tsx';
import { classes } from '../../../ui/classes.ts';
import { Field, TextArea, TextField, controlClasses } from '../../../ui/field.tsx';
import { Select } from '../../../ui/select.tsx';
import { roleOf } from '../../models/train-defaults.ts';
import { useEncoders } from '../../playground/settings.tsx';
import { type ColumnKind, type Field as FieldOf, castTypes } from '../operations/catalog.ts';
import { useOperationText } from './text.ts';

export interface TableColumn {
  name: string;
  type: string;
}

interface ControlProps {
  field: FieldOf;
  value: unknown;
  onChange: (value: unknown) => void;
  columns: readonly TableColumn[];
  /** The dataset that is prepared: it isn't joined with itself. */
  datasetId: string;
  error?: string | null;
}

export function Control({ field, value, onChange, columns, datasetId, error }: ControlProps) {
  const text = useOperationText();
  const label = text.field(field.name);
  const otherwise = field.otherwise === undefined ? undefined : String(field.otherwise);
  switch (field.kind) {
    case 'columns':
      return (
        <Columns
          label={label}
          value={strings(value)}
          onChange={onChange}
          columns={fitting(columns, field.of)}
          optional={!field.required}
          error={error ?? null}
        />
      );
    case 'column':
      return (
        <OneColumn
          label={label}
          value={string(value)}
          onChange={onChange}
          columns={fitting(columns, field.of)}
          optional={!field.required}
        />
      );
    case 'order':
      return <Order label={label} value={Array.isArray(value) ? value : []} onChange={onChange} columns={columns} />;
    case 'flag':
      return (
        <Checkbox
          label={label}
          checked={value === undefined ? field.otherwise === true : value === true}
          onChange={onChange}
        />
      );
    case 'choice':
      return (
        <Select
          label={label}
          value={string(value) || otherwise || ''}
          onChange={onChange}
          choices={field.choices.map(choice => ({ value: choice, label: choice.replaceAll('_', ' ') }))}
        />
      );
    case 'number':
      return (
        <TextField
          label={label}
          type="number"
          step="any"
          value={typeof value === 'number' ? value : ''}
          placeholder={otherwise ?? field.hint}
          onChange={event => onChange(event.target.value === '' ? undefined : event.target.valueAsNumber)}
          error={error}
        />
      );
    case 'expression':
      return (
        <TextArea
          label={label}
          rows={2}
          mono
          spellCheck={false}
          value={string(value)}
          placeholder={field.hint ?? otherwise ?? exampleCondition(columns)}
          onChange={event => onChange(event.target.value || undefined)}
          error={error}
        />
      );
    case 'list':
      return (
        <List
          label={label}
          hint={field.hint ?? text('listHint')}
          value={value}
          numbers={field.numbers === true}
          onChange={onChange}
        />
      );
    case 'mapping':
      return <Mapping field={field} label={label} value={value} onChange={onChange} columns={columns} />;
    case 'rules':
      return <Rules label={label} value={value} onChange={onChange} />;
    case 'dataset':
      return <DatasetChoice label={label} value={string(value)} onChange={onChange} without={datasetId} />;
    case 'encoder':
      return <EncoderChoice label={label} value={string(value)} onChange={onChange} />;
    case 'model':
      return <ModelChoice label={label} value={string(value)} onChange={onChange} />;
    case 'text':
      return (
        <TextField
          label={label}
          value={string(value)}
          placeholder={otherwise ?? field.hint}
          onChange={event => onChange(event.target.value === '' && !field.required ? undefined : event.target.value)}
          error={error}
        />
      );
  }
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
function Columns({ label, value, onChange, columns, optional, error }: ColumnsProps) {
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

function OneColumn({ label, value, onChange, columns, optional }: OneColumnProps) {
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
function Order({ label, value, onChange, columns }: OrderProps) {
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

function List({
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

type MappingField = Extract<FieldOf, { kind: 'mapping' }>;

function Mapping({
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
function Rules({ label, value, onChange }: { label: string; value: unknown; onChange: (value: unknown) => void }) {
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

interface ChoiceProps {
  label: string;
  value: string;
  onChange: (value: unknown) => void;
}

function DatasetChoice({ label, value, onChange, without }: ChoiceProps & { without: string }) {
  const text = useOperationText();
  const { data } = useRoute('listDatasets');
  const others = (data?.data ?? []).filter(({ dataset_id: id }) => id !== without);
  if (data && others.length === 0)
    return (
      <Field label={label}>
        {tie => (
          <output {...tie} className="text-sm text-muted">
            {text('noDatasets')}
          </output>
        )}
      </Field>
    );
  return (
    <Select
      label={label}
      value={value}
      onChange={onChange}
      choices={others.map(({ dataset_id: id, name }) => ({ value: id, label: name ?? id }))}
    />
  );
}

function EncoderChoice({ label, value, onChange }: ChoiceProps) {
  const text = useOperationText();
  const { encoders } = useEncoders(null);
  return (
    <Select
      label={label}
      value={value}
      onChange={model => onChange(model === '' ? undefined : model)}
      choices={[
        { value: '', label: text('notSaid') },
        ...encoders
          .filter(({ allowed, state }) => allowed !== false && state !== 'absent')
          .map(({ alias }) => ({ value: alias, label: alias })),
      ]}
    />
  );
}

function ModelChoice({ label, value, onChange }: ChoiceProps) {
  const text = useOperationText();
  const { data } = useRoute('listTrainedModels');
  const ready = (data?.data ?? []).filter(({ status, model_type: type }) => status === 'succeeded' && type !== 'llm');
  if (data && ready.length === 0)
    return (
      <Field label={label}>
        {tie => (
          <output {...tie} className="text-sm text-muted">
            {text('noModels')}
          </output>
        )}
      </Field>
    );
  return (
    <Select
      label={label}
      value={value}
      onChange={onChange}
      choices={ready.map(({ model_id: id, name, target }) => ({
        value: id,
        label: name ?? id,
        about: target ?? undefined,
      }))}
    />
  );
}

/** Those that an operation is for, or all when none is. */
function fitting(columns: readonly TableColumn[], of: ColumnKind | undefined): readonly TableColumn[] {
  if (of === undefined) return columns;
  const fit = columns.filter(({ type }) => {
    if (of === 'vector') return /^(FLOAT|DOUBLE)\[\d*\]$/.test(type);
    return roleOf(type) === (of === 'text' ? 'category' : of);
  });
  return fit.length > 0 ? fit : columns;
}

/** A condition on the first column, as a hint. */
function exampleCondition(columns: readonly TableColumn[]): string {
  const number = columns.find(({ type }) => roleOf(type) === 'number');
  const [first] = columns;
  if (number) return `"${number.name}" > 0`;
  return first ? `"${first.name}" IS NOT NULL` : '';
}

function scalar(text: string): string | number | boolean {
  if (text === 'true' || text === 'false') return text === 'true';
  // "001" is a code, not the number 1.
  return /^-?(0|[1-9]\d{0,14})(\.\d+)?$/.test(text) ? Number(text) : text;
}

function string(value: unknown): string {
  return typeof value === 'string' ? value : '';
}

function strings(value: unknown): string[] {
  return Array.isArray(value)
    ? value.filter(each => typeof each === 'string')
    : typeof value === 'string'
      ? [value]
      : [];
}

function record(value: unknown): Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Record<string, unknown>) : {};
}
