// What one does with a finished model: aliases for programs, and how it came about.
import { Link } from '@tanstack/react-router';
import { Plus, X } from 'lucide-react';
import { type FormEvent, type ReactNode, useState } from 'react';
import { type Answer, useChange, useMay } from '../../api/index.ts';
import { useFormat } from '../../messages/format.ts';
import { Badge } from '../../ui/badge.tsx';
import { Button } from '../../ui/button.tsx';
import { Card, Facts } from '../../ui/card.tsx';
import { TextField } from '../../ui/field.tsx';
import { useModelText } from './text.ts';

type Model = Answer<'getTrainedModel'>;

export function Aliases({ model }: { model: Model }) {
  const text = useModelText();
  const mayChange = useMay('member');
  const [name, setName] = useState('');
  const refresh = ['getTrainedModel', 'listTrainedModels'] as const;
  const set = useChange('setModelAlias', { quiet: true, refresh, onDone: () => setName('') });
  const remove = useChange('deleteModelAlias', { refresh });
  const submit = (event: FormEvent) => {
    event.preventDefault();
    set.mutate({ params: { alias: name.trim() }, body: { model_id: model.model_id } });
  };
  return (
    <Card title={text('aliases')} description={text('aliasesAbout')}>
      {model.aliases.length > 0 && (
        <ul className="mb-4 flex flex-wrap gap-2">
          {model.aliases.map(alias => (
            <li
              key={alias}
              className="flex items-center gap-1 rounded-full bg-accent-soft py-0.5 pr-1 pl-3 text-accent"
            >
              {alias}
              {mayChange && (
                <button
                  type="button"
                  aria-label={text('removeAlias', { alias })}
                  className="rounded-full p-1 hover:bg-hover"
                  onClick={() => remove.mutate({ params: { alias } })}
                >
                  <X className="size-3.5" />
                </button>
              )}
            </li>
          ))}
        </ul>
      )}
      {mayChange && (
        <form onSubmit={submit} className="flex items-start gap-2">
          <TextField
            hideLabel
            label={text('aliasName')}
            className="flex-1"
            placeholder="churn@production"
            value={name}
            hint={text('aliasHint')}
            error={set.error?.message}
            onChange={event => setName(event.target.value)}
          />
          <Button type="submit" className="h-9" icon={<Plus />} busy={set.isPending} disabled={name.trim() === ''}>
            {text('addAlias')}
          </Button>
        </form>
      )}
    </Card>
  );
}

export function Details({ model }: { model: Model }) {
  const text = useModelText();
  const format = useFormat();
  const { rows, config, stopped, left_out: leftOut, encoder } = model;
  const decided = ['epochs', 'batch_size', 'learning_rate', 'seed'].flatMap(name => {
    const value = config[name];
    return typeof value === 'number' ? [[name, format.decimal(value, 6)] as const] : [];
  });
  const names: Record<string, string> = {
    epochs: text('epochs'),
    batch_size: text('batchSize'),
    learning_rate: text('learningRate'),
    seed: text('seed'),
  };
  const ended =
    stopped === 'epochs' || stopped === 'early_stopping' || stopped === 'max_seconds' || stopped === 'diverged'
      ? text(`stopped_${stopped}`)
      : stopped;
  const reference = `${model.dataset_id}@${model.dataset_version}`;
  const facts: (readonly [ReactNode, ReactNode] | null)[] = [
    [
      text('trainedOn'),
      <Link
        key="dataset"
        to="/console/datasets/$id"
        params={{ id: model.dataset_id }}
        search={{ version: model.dataset_version }}
        className="text-accent hover:underline"
      >
        {typeof model.dataset['name'] === 'string' ? `${model.dataset['name']}@${model.dataset_version}` : reference}
      </Link>,
    ],
    rows && [text('rows'), text('rowsOf', { training: rows.training, validation: rows.validation, test: rows.test })],
    model.algorithm ? [text('algorithm'), <Badge key="algorithm">{model.algorithm}</Badge>] : null,
    model.parameters === null ? null : [text('parameters'), format.number(model.parameters)],
    ...decided.map(([name, value]) => [names[name], value] as const),
    model.best_epoch === null ? null : [text('bestEpoch'), format.number(model.best_epoch)],
    ended ? [text('stopped'), ended] : null,
    model.seconds === null ? null : [text('took'), format.duration(model.seconds * 1000)],
    model.cost_usd === null ? null : [text('cost'), format.money(model.cost_usd)],
    [text('size'), format.bytes(model.size_bytes)],
    encoder && [text('encoder'), encoder.name],
    leftOut && leftOut.length > 0
      ? [text('leftOut'), leftOut.map(({ name, reason }) => `${name} (${reason})`).join(', ')]
      : null,
  ];
  return (
    <Card title={text('details')}>
      <Facts facts={facts.filter(fact => fact !== null)} />
    </Card>
  );
}
