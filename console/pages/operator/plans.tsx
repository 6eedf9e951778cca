// The plans, how many accounts are on each, and the credit of those who sign up.
import { Pencil, Plus } from 'lucide-react';
import { type FormEvent, useState } from 'react';
import { type Answer, useChange, useRoute } from '../../api/index.ts';
import { useCommonText } from '../../messages/common.ts';
import { useFormat } from '../../messages/format.ts';
import { Badge } from '../../ui/badge.tsx';
import { Button } from '../../ui/button.tsx';
import { Card, Facts } from '../../ui/card.tsx';
import { Problem, Skeleton } from '../../ui/empty.tsx';
import { TextField } from '../../ui/field.tsx';
import { toast } from '../../ui/toast.tsx';
import { PlanDialog } from './plan.tsx';
import { useOperatorText } from './text.ts';

type Plan = Answer<'listPlansInUse'>['data'][number];

export function Plans() {
  const common = useCommonText();
  const text = useOperatorText();
  const format = useFormat();
  const { data, error, refetch } = useRoute('listPlansInUse');
  const [open, setOpen] = useState<{ plan: Plan; isNew: boolean } | null>(null);
  if (error) return <Problem error={error} retry={refetch} />;
  if (!data) return <Skeleton />;
  const most = (count: number | null) => (count === null ? common('unlimited') : format.number(count));
  const limits = (...parts: (string | null)[]) => parts.filter(Boolean).join(', ') || common('unlimited');
  return (
    <div className="flex flex-col gap-4">
      <div className="flex flex-wrap items-end justify-between gap-4">
        <SignUpCredit key={data.sign_up_credit_usd} usd={data.sign_up_credit_usd} />
        {data.data[0] && (
          <Button icon={<Plus />} onClick={() => data.data[0] && setOpen({ plan: data.data[0], isNew: true })}>
            {text('planMake')}
          </Button>
        )}
      </div>
      <div className="grid gap-6 md:grid-cols-2">
        {data.data.map(plan => (
          <Card
            key={plan.name}
            title={plan.title}
            actions={
              <>
                {plan.retired && <Badge tone="warn">{text('retired')}</Badge>}
                {plan.name === data.sign_up_plan && <Badge>{text('signUpPlan')}</Badge>}
                <Badge tone="accent">{text('accounts', { count: plan.accounts })}</Badge>
                <Button
                  size="icon"
                  look="quiet"
                  aria-label={text('planChange', { title: plan.title })}
                  onClick={() => setOpen({ plan, isNew: false })}
                >
                  <Pencil />
                </Button>
              </>
            }
          >
            <Facts
              facts={[
                [
                  text('vectorLimits'),
                  limits(
                    plan.vectors.minute === null ? null : text('perMinute', { count: plan.vectors.minute }),
                    plan.vectors.hour === null ? null : text('perHour', { count: plan.vectors.hour }),
                  ),
                ],
                [text('batch'), format.number(plan.vectors.batch)],
                [
                  text('dataLimits'),
                  limits(
                    plan.data.minute === null ? null : text('perMinute', { count: plan.data.minute }),
                    plan.data.day === null ? null : text('perDay', { count: plan.data.day }),
                  ),
                ],
                [text('tier'), plan.tiers.join(', ')],
                [text('credit'), format.money(plan.monthly_credit_usd)],
                [text('storage'), plan.storage_bytes === null ? common('unlimited') : format.bytes(plan.storage_bytes)],
                [text('jobsAtOnce'), most(plan.jobs)],
                [text('priceTraining'), format.money(plan.price_per_training_second_usd)],
                [text('priceRow'), format.money(plan.price_per_predicted_row_usd)],
                [text('priceToken'), format.money(plan.price_per_generated_token_usd)],
                [text('mostKeys'), most(plan.max_keys)],
              ]}
            />
          </Card>
        ))}
      </div>
      {open && <PlanDialog {...open} onClose={() => setOpen(null)} />}
    </div>
  );
}

/** Beside what the plan gives: once, to whoever signs up. */
function SignUpCredit({ usd }: { usd: number }) {
  const common = useCommonText();
  const text = useOperatorText();
  const [amount, setAmount] = useState(String(usd));
  const setting = useChange('setSignUpCredit', { refresh: ['listPlansInUse'], onDone: () => toast(common('saved')) });
  const submit = (event: FormEvent) => {
    event.preventDefault();
    setting.mutate({ body: { credit_usd: Number(amount) } });
  };
  return (
    <form onSubmit={submit} className="flex items-end gap-2">
      <TextField
        label={text('signUpCredit')}
        type="number"
        step="0.01"
        min="0"
        required
        className="w-52"
        value={amount}
        onChange={event => setAmount(event.target.value)}
      />
      <Button type="submit" className="h-9" busy={setting.isPending} disabled={Number(amount) === usd}>
        {common('save')}
      </Button>
    </form>
  );
}
