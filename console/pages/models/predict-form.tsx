// A prediction for one row: a form made from what the model learnt from, and the answer beside it.
import { Sparkles } from 'lucide-react';
import { type FormEvent, useMemo, useState } from 'react';
import { type Answer, ApiProblem, useChange, useMay, useRoute } from '../../api/index.ts';
import { useFormat } from '../../messages/format.ts';
import { CodeSamples } from '../../samples/code-samples.tsx';
import { Button } from '../../ui/button.tsx';
import { Card } from '../../ui/card.tsx';
import { Problem } from '../../ui/empty.tsx';
import { TextArea, TextField } from '../../ui/field.tsx';
import { Select } from '../../ui/select.tsx';
import { type KnownValues, type PredictField, predictField, predictRow, startValues } from './predict-fields.ts';
import { useModelText } from './text.ts';

type Model = Answer<'getTrainedModel'>;

export function PredictForm({ model }: { model: Model }) {
  const text = useModelText();
  const features = useMemo(() => model.features ?? [], [model.features]);
  const [values, setValues] = useState(() => startValues(features, model.example));
  // The dataset may be gone; then categories are written instead of chosen.
  const { data: profile } = useRoute('getProfile', { params: { id: `${model.dataset_id}@${model.dataset_version}` } });
  const known = useMemo(() => knownValues(profile), [profile]);
  const [done, setDone] = useState<{ body: object; answer: Answer<'predict'> } | null>(null);
  const mayPredict = useMay('member');
  const predict = useChange('predict', { quiet: true });
  const body = { model_id: model.aliases[0] ?? model.model_id, input: { data: [predictRow(features, values)] } };
  const submit = (event: FormEvent) => {
    event.preventDefault();
    predict.mutate({ body }, { onSuccess: answer => setDone({ body, answer }) });
  };
  // `input.data[0].age` names the column whose value was refused.
  const faulty = predict.error instanceof ApiProblem ? predict.error.param : null;
  const faultOf = (name: string) =>
    faulty?.endsWith(`.${name}`) || faulty?.endsWith(`["${name}"]`) ? predict.error?.message : null;
  return (
    <div className="grid items-start gap-6 lg:grid-cols-[minmax(0,1fr)_24rem]">
      <Card title={text('predictTitle')} description={text('predictAbout')}>
        <form onSubmit={submit} className="flex flex-col gap-5">
          <div className="grid gap-4 sm:grid-cols-2">
            {features.map(feature => (
              <Control
                key={feature.name}
                field={predictField(feature, known.get(feature.name))}
                value={values[feature.name] ?? ''}
                error={faultOf(feature.name) ?? null}
                onChange={value => setValues({ ...values, [feature.name]: value })}
              />
            ))}
          </div>
          <div className="flex flex-wrap gap-2">
            <Button look="primary" type="submit" icon={<Sparkles />} busy={predict.isPending} disabled={!mayPredict}>
              {text('predictRun')}
            </Button>
            <Button look="quiet" onClick={() => setValues(startValues(features, model.example))}>
              {text('exampleRow')}
            </Button>
          </div>
        </form>
      </Card>
      <div className="flex min-w-0 flex-col gap-6 lg:sticky lg:top-20">
        <Card title={text('prediction')}>
          <div aria-live="polite">
            {predict.error && <Problem error={predict.error} />}
            {done && !predict.error && <Outcome answer={done.answer} target={model.target} />}
            {!done && !predict.error && <p className="text-muted">{text('predictHint')}</p>}
          </div>
        </Card>
        <Card title={text('code')} description={done ? text('codeAbout') : undefined}>
          <CodeSamples request={{ method: 'POST', path: '/api/v2/models/predict', body: done?.body ?? body }} />
        </Card>
      </div>
    </div>
  );
}

interface ControlProps {
  field: PredictField;
  value: string;
  error: string | null;
  onChange: (value: string) => void;
}

function Control({ field: { name, control, values }, value, error, onChange }: ControlProps) {
  const text = useModelText();
  const shared = { label: name, value, error, placeholder: text('missingValue') };
  switch (control) {
    case 'choice':
      return (
        <Select
          label={name}
          value={value}
          onChange={onChange}
          choices={[...new Set(['', ...values, value])].map(each => ({
            value: each,
            label: each === '' ? text('missingValue') : each,
          }))}
        />
      );
    case 'area':
      return <TextArea {...shared} className="sm:col-span-2" onChange={event => onChange(event.target.value)} />;
    case 'line': {
      const list = `values-${name}`;
      return (
        <div>
          <TextField {...shared} list={list} onChange={event => onChange(event.target.value)} />
          <datalist id={list}>
            {values.map(each => (
              <option key={each} value={each}>
                {each}
              </option>
            ))}
          </datalist>
        </div>
      );
    }
    case 'date':
      return <TextField {...shared} type="date" onChange={event => onChange(event.target.value)} />;
    case 'moment':
      return (
        <TextField {...shared} placeholder="2025-03-01T12:30:00" onChange={event => onChange(event.target.value)} />
      );
    case 'number':
    case 'whole':
      return <TextField {...shared} inputMode="decimal" onChange={event => onChange(event.target.value)} />;
  }
}

function Outcome({ answer, target }: { answer: Answer<'predict'>; target: string | null }) {
  const format = useFormat();
  const [prediction] = answer.predictions;
  const [probabilities] = answer.probabilities ?? [];
  const sorted = Object.entries(probabilities ?? {}).toSorted(([, one], [, other]) => other - one);
  return (
    <div>
      <div className="text-sm text-muted">{target}</div>
      <div className="mt-0.5 text-2xl font-semibold tracking-tight break-words">
        {typeof prediction === 'number' && !probabilities ? format.decimal(prediction, 4) : String(prediction)}
      </div>
      {sorted.length > 0 && (
        <ul className="mt-4 flex flex-col gap-2.5">
          {sorted.slice(0, 8).map(([label, share]) => (
            <li key={label}>
              <div className="flex justify-between gap-3 text-sm">
                <span className="truncate">{label}</span>
                <span className="text-muted tabular-nums">{format.percent(share, 1)}</span>
              </div>
              <div aria-hidden="true" className="mt-1 h-1.5 overflow-hidden rounded-full bg-line">
                <div
                  className="h-full rounded-full bg-accent transition-[width] duration-300"
                  style={{ width: `${share * 100}%` }}
                />
              </div>
            </li>
          ))}
        </ul>
      )}
    </div>
  );
}

function knownValues(profile: Answer<'getProfile'> | undefined): Map<string, KnownValues> {
  return new Map(
    (profile?.columns ?? []).map(({ name, top, distinct }) => [
      name,
      {
        values: top.map(({ value }) => (typeof value === 'string' ? value : JSON.stringify(value))),
        complete: distinct <= top.length,
      },
    ]),
  );
}
