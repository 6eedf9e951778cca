// The monthly budget, who is told when it is nearly spent, and whether it is a hard one.
import { type FormEvent, useState } from 'react';
import { type Answer, useChange, useMay } from '../../api/index.ts';
import { useCommonText } from '../../messages/common.ts';
import { useFormat } from '../../messages/format.ts';
import { Badge } from '../../ui/badge.tsx';
import { Button } from '../../ui/button.tsx';
import { Card } from '../../ui/card.tsx';
import { Switch } from '../../ui/checkbox.tsx';
import { TextField } from '../../ui/field.tsx';
import { toast } from '../../ui/toast.tsx';
import { useUsageText } from './text.ts';

export function BudgetCard({ billing }: { billing: Answer<'getBilling'> }) {
  const common = useCommonText();
  const text = useUsageText();
  const format = useFormat();
  const isOwner = useMay('owner');
  const [amount, setAmount] = useState(billing.budget.monthly_usd === null ? '' : String(billing.budget.monthly_usd));
  const [rules, setRules] = useState({
    hard: billing.budget.hard,
    mail: billing.budget.mail,
    webhook: billing.budget.webhook,
  });
  const saving = useChange('setBudget', { refresh: ['getBilling'], onDone: () => toast(common('saved')) });
  const submit = (event: FormEvent) => {
    event.preventDefault();
    saving.mutate({ body: { monthly_usd: amount === '' ? null : Number(amount), ...rules } });
  };
  return (
    <Card title={text('budgetTitle')} description={text('budgetAbout')}>
      <form onSubmit={submit} className="flex max-w-lg flex-col gap-5">
        <TextField
          label={text('budget')}
          hint={text('budgetHint')}
          type="number"
          inputMode="decimal"
          min="0"
          step="0.01"
          disabled={!isOwner}
          value={amount}
          onChange={event => setAmount(event.target.value)}
        />
        <Switch
          label={text('hard')}
          about={text('hardAbout')}
          disabled={!isOwner}
          checked={rules.hard}
          onChange={hard => setRules({ ...rules, hard })}
        />
        <Switch
          label={text('mail')}
          disabled={!isOwner}
          checked={rules.mail}
          onChange={mail => setRules({ ...rules, mail })}
        />
        <Switch
          label={text('webhook')}
          about={text('webhookAbout')}
          disabled={!isOwner}
          checked={rules.webhook}
          onChange={webhook => setRules({ ...rules, webhook })}
        />
        {billing.alerts.length > 0 && (
          <div className="flex flex-wrap gap-2">
            {billing.alerts.map(alert => (
              <Badge key={alert.percent} tone={alert.percent >= 95 ? 'bad' : 'warn'}>
                {text('reached', { percent: alert.percent, when: format.date(alert.at) })}
              </Badge>
            ))}
          </div>
        )}
        {isOwner ? (
          <Button look="primary" type="submit" className="self-start" busy={saving.isPending}>
            {common('save')}
          </Button>
        ) : (
          <p className="text-sm text-muted">{text('ownerOnly')}</p>
        )}
      </form>
    </Card>
  );
}
