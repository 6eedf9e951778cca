// The form of a plan: a new one, or one that is changed for all accounts on it.
import { type FormEvent, useId, useState } from 'react';
import { type Answer, type Input, useChange } from '../../api/index.ts';
import { useCommonText } from '../../messages/common.ts';
import { Button } from '../../ui/button.tsx';
import { Checkbox, Switch } from '../../ui/checkbox.tsx';
import { Dialog } from '../../ui/dialog.tsx';
import { Problem } from '../../ui/empty.tsx';
import { TextField } from '../../ui/field.tsx';
import { toast } from '../../ui/toast.tsx';
import { useOperatorText } from './text.ts';

type Plan = Answer<'listPlansInUse'>['data'][number];
type NewPlan = Input<'createPlan'>['body'];
type Tier = NewPlan['tiers'][number];

const tiers: readonly Tier[] = ['budget', 'standard', 'premium'];
const bytesPerGigabyte = 1e9;

/** Numbers of the form by their names; an empty one is no limit. */
const limits = ['vectorsMinute', 'vectorsHour', 'dataMinute', 'dataDay', 'jobs', 'keys', 'gigabytes'] as const;
const amounts = ['batch', 'credit', 'trainingSecond', 'predictedRow', 'generatedToken'] as const;
type Name = (typeof limits)[number] | (typeof amounts)[number];

/** `plan` is the one to begin with; it is changed unless a new one is made from it. */
export function PlanDialog({ plan, isNew, onClose }: { plan: Plan; isNew: boolean; onClose: () => void }) {
  const common = useCommonText();
  const text = useOperatorText();
  const form = useId();
  const [name, setName] = useState('');
  const [title, setTitle] = useState(isNew ? '' : plan.title);
  const [numbers, setNumbers] = useState(() => numbersOf(plan));
  const [chosen, setChosen] = useState<readonly string[]>(plan.tiers);
  const [retired, setRetired] = useState(!isNew && plan.retired);
  const options = {
    quiet: true,
    refresh: ['listPlansInUse', 'listPlans', 'getSession'] as const,
    onDone: () => {
      toast(common('saved'));
      onClose();
    },
  };
  const making = useChange('createPlan', options);
  const changing = useChange('changePlan', options);
  const error = making.error ?? changing.error;
  const submit = (event: FormEvent) => {
    event.preventDefault();
    const fields = { ...fieldsOf(numbers), title, tiers: tiers.filter(tier => chosen.includes(tier)) };
    // Which models of its tiers a plan has is kept as it is.
    if (isNew) making.mutate({ body: { ...fields, name, models: plan.models } });
    else changing.mutate({ params: { name: plan.name }, body: { ...fields, retired } });
  };
  const number = (field: Name, label: string) => (
    <TextField
      label={label}
      type="number"
      step="any"
      min="0"
      inputMode="decimal"
      required={amounts.some(each => each === field)}
      placeholder={common('unlimited')}
      value={numbers[field]}
      onChange={event => setNumbers({ ...numbers, [field]: event.target.value })}
    />
  );
  return (
    <Dialog
      open
      wide
      onClose={onClose}
      title={isNew ? text('planMake') : text('planChange', { title: plan.title })}
      description={isNew ? text('planMakeAbout') : text('planChangeAbout', { count: plan.accounts })}
      actions={
        <>
          <Button onClick={onClose}>{common('cancel')}</Button>
          <Button look="primary" type="submit" form={form} busy={making.isPending || changing.isPending}>
            {isNew ? text('planMake') : common('save')}
          </Button>
        </>
      }
    >
      <form id={form} onSubmit={submit} className="flex flex-col gap-6">
        <div className="grid gap-4 sm:grid-cols-2">
          <TextField
            label={text('planTitle')}
            required
            maxLength={100}
            value={title}
            onChange={event => setTitle(event.target.value)}
          />
          {isNew && (
            <TextField
              label={text('planName')}
              hint={text('planNameHint')}
              required
              mono
              pattern="[a-z][a-z0-9_\-]{0,31}"
              value={name}
              onChange={event => setName(event.target.value)}
            />
          )}
        </div>
        <fieldset>
          <legend className="mb-2 text-sm font-medium">{text('tier')}</legend>
          <div className="flex flex-wrap gap-x-6 gap-y-2">
            {tiers.map(tier => (
              <Checkbox
                key={tier}
                label={tier}
                checked={chosen.includes(tier)}
                disabled={chosen.length === 1 && chosen.includes(tier)}
                onChange={checked => setChosen(checked ? [...chosen, tier] : chosen.filter(each => each !== tier))}
              />
            ))}
          </div>
        </fieldset>
        <div className="grid gap-4 sm:grid-cols-3">
          {number('vectorsMinute', text('vectorsMinute'))}
          {number('vectorsHour', text('vectorsHour'))}
          {number('batch', text('batch'))}
          {number('dataMinute', text('dataMinute'))}
          {number('dataDay', text('dataDay'))}
          {number('gigabytes', text('gigabytes'))}
          {number('jobs', text('jobsAtOnce'))}
          {number('keys', text('mostKeys'))}
          {number('credit', text('creditDollars'))}
          {number('trainingSecond', text('priceTraining'))}
          {number('predictedRow', text('priceRow'))}
          {number('generatedToken', text('priceToken'))}
        </div>
        {!isNew && (
          <Switch label={text('retired')} about={text('retiredAbout')} checked={retired} onChange={setRetired} />
        )}
        {error && <Problem error={error} />}
      </form>
    </Dialog>
  );
}

function written(value: number | null): string {
  return value === null ? '' : String(value);
}

function numbersOf(plan: Plan): Record<Name, string> {
  return {
    vectorsMinute: written(plan.vectors.minute),
    vectorsHour: written(plan.vectors.hour),
    batch: written(plan.vectors.batch),
    dataMinute: written(plan.data.minute),
    dataDay: written(plan.data.day),
    jobs: written(plan.jobs),
    keys: written(plan.max_keys),
    gigabytes: written(plan.storage_bytes === null ? null : plan.storage_bytes / bytesPerGigabyte),
    credit: written(plan.monthly_credit_usd),
    trainingSecond: written(plan.price_per_training_second_usd),
    predictedRow: written(plan.price_per_predicted_row_usd),
    generatedToken: written(plan.price_per_generated_token_usd),
  };
}

function fieldsOf(numbers: Readonly<Record<Name, string>>) {
  const limit = (name: Name) => (numbers[name].trim() === '' ? null : Number(numbers[name]));
  const amount = (name: Name) => Number(numbers[name]);
  const gigabytes = limit('gigabytes');
  return {
    vectors: { minute: limit('vectorsMinute'), hour: limit('vectorsHour'), batch: amount('batch') },
    data: { minute: limit('dataMinute'), day: limit('dataDay') },
    jobs: limit('jobs'),
    max_keys: limit('keys'),
    storage_bytes: gigabytes === null ? null : Math.round(gigabytes * bytesPerGigabyte),
    monthly_credit_usd: amount('credit'),
    price_per_training_second_usd: amount('trainingSecond'),
    price_per_predicted_row_usd: amount('predictedRow'),
    price_per_generated_token_usd: amount('generatedToken'),
  } satisfies Partial<NewPlan>;
}
