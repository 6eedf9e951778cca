// The form for a new key.
import { type FormEvent, useId, useState } from 'react';
import { type Input, useChange, useRoute } from '../../api/index.ts';
import { useCommonText } from '../../messages/common.ts';
import { Button } from '../../ui/button.tsx';
import { Checkbox } from '../../ui/checkbox.tsx';
import { Dialog } from '../../ui/dialog.tsx';
import { Problem } from '../../ui/empty.tsx';
import { TextField } from '../../ui/field.tsx';
import { Segments, Select } from '../../ui/select.tsx';
import type { MadeKey } from './secret.tsx';
import { useKeysText } from './text.ts';

type Scope = NonNullable<Input<'createOwnKey'>['body']['scopes']>[number];
const scopes: readonly Scope[] = ['vectors', 'data', 'models', 'usage'];
const dayMs = 86_400_000;

interface MakeKeyProps {
  open: boolean;
  onClose: () => void;
  onMade: (made: MadeKey) => void;
}

export function MakeKey({ open, onClose, onMade }: MakeKeyProps) {
  const common = useCommonText();
  const text = useKeysText();
  const form = useId();
  const making = useChange('createOwnKey', { refresh: ['listOwnKeys'], onDone: onMade, quiet: true });
  const close = () => {
    making.reset();
    onClose();
  };
  return (
    <Dialog
      open={open}
      onClose={close}
      title={text('makeTitle')}
      actions={
        <>
          <Button onClick={close}>{common('cancel')}</Button>
          <Button look="primary" type="submit" form={form} busy={making.isPending}>
            {text('makeAction')}
          </Button>
        </>
      }
    >
      <Form id={form} error={making.error} onSubmit={body => making.mutate({ body })} />
    </Dialog>
  );
}

function Form({
  id,
  error,
  onSubmit,
}: {
  id: string;
  error: Error | null;
  onSubmit: (body: Input<'createOwnKey'>['body']) => void;
}) {
  const common = useCommonText();
  const text = useKeysText();
  const { data } = useRoute('listModels');
  const [name, setName] = useState('');
  const [chosenScopes, setScopes] = useState<ReadonlySet<Scope> | null>(null);
  const [chosenModels, setModels] = useState<ReadonlySet<string> | null>(null);
  const [budget, setBudget] = useState('');
  const [days, setDays] = useState<'never' | '30' | '90' | '365'>('never');
  const submit = (event: FormEvent) => {
    event.preventDefault();
    onSubmit({
      name,
      ...(chosenScopes && { scopes: [...chosenScopes] }),
      ...(chosenModels && { models: [...chosenModels] }),
      ...(budget !== '' && { budget_usd: Number(budget) }),
      ...(days !== 'never' && { expires_at: new Date(Date.now() + Number(days) * dayMs).toISOString() }),
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
