// The form of a key's name and rights.
import { type FormEvent, useState } from 'react';
import { type Input, useRoute } from '../../api/index.ts';
import { useCommonText } from '../../messages/common.ts';
import { useFormat } from '../../messages/format.ts';
import { Checkbox } from '../../ui/checkbox.tsx';
import { Problem } from '../../ui/empty.tsx';
import { TextField } from '../../ui/field.tsx';
import { Segments, Select } from '../../ui/select.tsx';
import { useKeysText } from './text.ts';

type Scope = NonNullable<Input<'createOwnKey'>['body']['scopes']>[number];
const scopes: readonly Scope[] = ['vectors', 'data', 'models', 'usage'];
const dayMs = 86_400_000;

/** What a key may do; null is no restriction. */
export interface Rights {
  name: string;
  scopes: Scope[] | null;
  models: string[] | null;
  budget_usd: number | null;
  expires_at: string | null;
}

interface KeyFormProps {
  id: string;
  /** Of the key that is changed. */
  start?: Omit<Rights, 'scopes'> & { scopes: readonly string[] | null };
  error: Error | null;
  onSubmit: (rights: Rights) => void;
}

export function KeyForm({ id, start, error, onSubmit }: KeyFormProps) {
  const common = useCommonText();
  const text = useKeysText();
  const format = useFormat();
  const { data } = useRoute('listModels');
  const [name, setName] = useState(start?.name ?? '');
  const [chosenScopes, setScopes] = useState<ReadonlySet<Scope> | null>(() =>
    start?.scopes ? new Set(scopes.filter(scope => start.scopes?.includes(scope))) : null,
  );
  const [chosenModels, setModels] = useState<ReadonlySet<string> | null>(() =>
    start?.models ? new Set(start.models) : null,
  );
  const [budget, setBudget] = useState(start?.budget_usd ? String(start.budget_usd) : '');
  const expiry = start?.expires_at ?? null;
  const [days, setDays] = useState<'kept' | 'never' | '30' | '90' | '365'>(expiry === null ? 'never' : 'kept');
  const submit = (event: FormEvent) => {
    event.preventDefault();
    onSubmit({
      name,
      scopes: chosenScopes && [...chosenScopes],
      models: chosenModels && [...chosenModels],
      budget_usd: budget === '' ? null : Number(budget),
      expires_at:
        days === 'kept' ? expiry : days === 'never' ? null : new Date(Date.now() + Number(days) * dayMs).toISOString(),
    });
  };
  const words = {
    vectors: [text('scopeVectors'), text('scopeVectorsAbout')],
    data: [text('scopeData'), text('scopeDataAbout')],
    models: [text('scopeModels'), text('scopeModelsAbout')],
    usage: [text('scopeUsage'), text('scopeUsageAbout')],
  } satisfies Record<Scope, [string, string]>;
  return (
    <form id={id} onSubmit={submit} className="flex flex-col gap-5">
      <TextField
        label={text('name')}
        hint={text('nameHint')}
        required
        maxLength={100}
        autoComplete="off"
        value={name}
        onChange={event => setName(event.target.value)}
      />
      <fieldset className="flex flex-col gap-3">
        <legend className="mb-2 text-sm font-medium">{text('scopes')}</legend>
        <Segments
          label={text('scopes')}
          value={chosenScopes ? 'some' : 'all'}
          onChange={value => setScopes(value === 'all' ? null : new Set(['vectors']))}
          choices={[
            { value: 'all', label: text('scopesAll') },
            { value: 'some', label: text('scopesSome') },
          ]}
        />
        {chosenScopes &&
          scopes.map(scope => (
            <Checkbox
              key={scope}
              label={words[scope][0]}
              about={words[scope][1]}
              checked={chosenScopes.has(scope)}
              onChange={checked => setScopes(toggled(chosenScopes, scope, checked))}
            />
          ))}
      </fieldset>
      <fieldset className="flex flex-col gap-3">
        <legend className="mb-2 text-sm font-medium">{text('models')}</legend>
        <Segments
          label={text('models')}
          value={chosenModels ? 'some' : 'all'}
          onChange={value => setModels(value === 'all' || !data ? null : new Set([data.default_model]))}
          choices={[
            { value: 'all', label: text('modelsAll') },
            { value: 'some', label: text('modelsSome') },
          ]}
        />
        {chosenModels && (
          <div className="grid gap-2.5 sm:grid-cols-2">
            {Object.entries(data?.models ?? {}).map(([alias, model]) => (
              <Checkbox
                key={alias}
                label={alias}
                about={model.tier}
                checked={chosenModels.has(alias)}
                onChange={checked => setModels(toggled(chosenModels, alias, checked))}
              />
            ))}
          </div>
        )}
      </fieldset>
      <div className="grid gap-5 sm:grid-cols-2">
        <TextField
          label={text('budget')}
          optional={common('optional')}
          hint={text('budgetHint')}
          type="number"
          inputMode="decimal"
          min="0"
          step="0.01"
          value={budget}
          onChange={event => setBudget(event.target.value)}
        />
        <Select
          label={text('expires')}
          value={days}
          onChange={setDays}
          choices={[
            ...(expiry === null ? [] : [{ value: 'kept' as const, label: format.date(expiry) }]),
            { value: 'never', label: text('expiresNever') },
            { value: '30', label: text('expires30') },
            { value: '90', label: text('expires90') },
            { value: '365', label: text('expires365') },
          ]}
        />
      </div>
      {error && <Problem error={error} />}
    </form>
  );
}

/** The set with or without an item; the last one stays, since a key that may do nothing is none. */
function toggled<Item>(before: ReadonlySet<Item>, item: Item, isIn: boolean): ReadonlySet<Item> {
  const after = new Set(before);
  if (isIn) after.add(item);
  else if (after.size > 1) after.delete(item);
  return after;
}
