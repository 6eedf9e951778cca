// One step: its name, its form, and what is wrong with it.
import { ChevronDown, ChevronUp, X } from 'lucide-react';
import { type Dispatch, useState } from 'react';
import { Button } from '../../../ui/button.tsx';
import { classes } from '../../../ui/classes.ts';
import { Problem } from '../../../ui/empty.tsx';
import { operationKind } from '../operations/catalog.ts';
import { type Change, type Draft, missing } from '../operations/draft.ts';
import type { TableColumn } from './field-columns.tsx';
import { Control } from './fields.tsx';
import { useOperationText } from './text.ts';

interface StepProps {
  draft: Draft;
  number: number;
  last: boolean;
  /** Of the result as far as it is known, and of the table before any step. */
  columns: readonly TableColumn[];
  before: readonly TableColumn[];
  datasetId: string;
  problem: Error | null;
  onChange: Dispatch<Change>;
}

export function Step({ draft, number, last, columns, before, datasetId, problem, onChange }: StepProps) {
  const text = useOperationText();
  const [all, setAll] = useState(false);
  const fields = operationKind(draft.family, draft.op)?.fields;
  // Earlier steps may have made columns, and this one may have dropped some.
  const names = new Map([...before, ...columns].map(column => [column.name, column]));
  const isShown = (name: string, index: number) =>
    all || index < 3 || draft.values[name] !== undefined || fields?.[index]?.required === true;
  const hidden = fields?.some(({ name }, index) => !isShown(name, index)) ?? false;
  const lacking = missing(draft);
  return (
    <li className={classes('rounded-lg border p-3', problem ? 'border-bad' : 'border-line')}>
      <div className="flex items-start gap-2">
        <span className="mt-0.5 flex size-5 shrink-0 items-center justify-center rounded-full bg-hover text-xs font-medium text-muted">
          {number}
        </span>
        <h3 className="min-w-0 flex-1 font-medium">{text.title(draft.op)}</h3>
        <div className="-mt-1 -mr-1 flex">
          <Button
            size="icon"
            look="quiet"
            className="size-7"
            aria-label={`${text('moveUp')}: ${number}`}
            disabled={number === 1}
            onClick={() => onChange({ kind: 'move', id: draft.id, by: -1 })}
          >
            <ChevronUp />
          </Button>
          <Button
            size="icon"
            look="quiet"
            className="size-7"
            aria-label={`${text('moveDown')}: ${number}`}
            disabled={last}
            onClick={() => onChange({ kind: 'move', id: draft.id, by: 1 })}
          >
            <ChevronDown />
          </Button>
          <Button
            size="icon"
            look="quiet"
            className="size-7"
            aria-label={text('removeStep', { number })}
            onClick={() => onChange({ kind: 'remove', id: draft.id })}
          >
            <X />
          </Button>
        </div>
      </div>
      <p className="mt-1 text-sm text-muted">{text.about(draft.op)}</p>
      {!fields && <p className="mt-2 text-sm text-warn">{text('unknownOperation')}</p>}
      {fields && fields.length > 0 && (
        <div className="mt-3 flex flex-col gap-3">
          {fields.map((field, index) =>
            isShown(field.name, index) ? (
              <Control
                key={field.name}
                field={field}
                value={draft.values[field.name]}
                columns={[...names.values()]}
                datasetId={datasetId}
                onChange={value => onChange({ kind: 'set', id: draft.id, name: field.name, value })}
              />
            ) : null,
          )}
          {(hidden || all) && (
            <Button size="small" look="quiet" className="self-start" aria-expanded={all} onClick={() => setAll(!all)}>
              {all ? text('fewerOptions') : text('showOptions')}
            </Button>
          )}
        </div>
      )}
      {lacking.length > 0 && (
        <p className="mt-2 text-sm text-muted">{text('stillMissing', { names: lacking.map(text.field).join(', ') })}</p>
      )}
      {problem && (
        <div className="mt-3">
          <Problem error={problem} />
        </div>
      )}
    </li>
  );
}
