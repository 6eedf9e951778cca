// The control of an operation's parameter, by its kind.
import { Checkbox } from '../../../ui/checkbox.tsx';
import { TextArea, TextField } from '../../../ui/field.tsx';
import { Select } from '../../../ui/select.tsx';
import type { Field } from '../operations/catalog.ts';
import { DatasetChoice, EncoderChoice, ModelChoice } from './field-choices.tsx';
import { Columns, OneColumn, Order, type TableColumn, exampleCondition, fitting } from './field-columns.tsx';
import { List, Mapping, Rules } from './field-lines.tsx';
import { string, strings } from './field-values.ts';
import { useOperationText } from './text.ts';

interface ControlProps {
  field: Field;
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
          choices={field.choices.map(choice => ({ value: choice, label: text.choice(choice) }))}
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
