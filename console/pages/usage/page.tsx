// Usage and billing: what was used, what it cost, what is left, and what to do about it.
import { useState } from 'react';
import { useMay, useRoute } from '../../api/index.ts';
import { Page } from '../../layout/page.tsx';
import { useCommonText } from '../../messages/common.ts';
import { useFormat } from '../../messages/format.ts';
import { usePreferences } from '../../preferences.ts';
import { Button } from '../../ui/button.tsx';
import { Figure, Figures } from '../../ui/card.tsx';
import { Problem } from '../../ui/empty.tsx';
import { Progress } from '../../ui/progress.tsx';
import { Tabs } from '../../ui/tabs.tsx';
import { BudgetCard } from './budget.tsx';
import { BuyCredit } from './buy.tsx';
import { InvoiceList } from './invoices.tsx';
import { Ledger } from './ledger.tsx';
import { UsageOverTime } from './series.tsx';
import { useUsageText } from './text.ts';

export function UsagePage() {
  const common = useCommonText();
  const text = useUsageText();
  const isOwner = useMay('owner');
  const [buying, setBuying] = useState(false);
  const { data: billing, error, refetch } = useRoute('getBilling');
  const amounts = billing?.payment_amounts_usd;
  return (
    <Page
      title={common('usage')}
      description={text('about')}
      actions={
        isOwner &&
        amounts && (
          <Button look="primary" onClick={() => setBuying(true)}>
            {text('buy')}
          </Button>
        )
      }
    >
      {error ? <Problem error={error} retry={refetch} /> : <Head />}
      <Tabs
        label={common('usage')}
        tabs={[
          { id: 'usage', title: text('tabUsage'), content: <UsageOverTime /> },
          {
            id: 'billing',
            title: text('tabBilling'),
            content: (
              <div className="flex flex-col gap-6">
                {billing && <BudgetCard key={JSON.stringify(billing.budget)} billing={billing} />}
                <Ledger />
                <InvoiceList />
              </div>
            ),
          },
        ]}
      />
      {amounts && <BuyCredit open={buying} onClose={() => setBuying(false)} amounts={amounts} />}
    </Page>
  );
}

function Head() {
  const text = useUsageText();
  const format = useFormat();
  const { language } = usePreferences();
  const { data: billing } = useRoute('getBilling');
  const { data: plans } = useRoute('listPlans');
  if (!billing) return <div className="h-30 rounded-xl border border-line bg-surface shimmer" />;
  const month = new Date(`${billing.month}-15T12:00:00Z`).toLocaleDateString(language, {
    month: 'long',
    timeZone: 'UTC',
  });
  const budget = billing.budget.monthly_usd;
  const share = budget === null || budget === 0 ? null : billing.spent_usd / budget;
  return (
    <Figures>
      <Figure
        label={text('balance')}
        value={billing.balance_usd === null ? text('notBilled') : format.cents(billing.balance_usd)}
        about={
          billing.monthly_credit_usd > 0
            ? text('monthlyCredit', { amount: format.money(billing.monthly_credit_usd) })
            : text('noMonthlyCredit')
        }
      />
      <Figure
        label={text('spent', { month })}
        value={format.cents(billing.spent_usd)}
        about={
          share === null ? (
            text('noBudget')
          ) : (
            <span className="flex flex-col gap-1.5">
              {text('ofBudget', { percent: format.percent(share) })}
              <Progress
                label={text('budget')}
                value={share}
                tone={share >= 0.95 ? 'bad' : share >= 0.8 ? 'warn' : 'accent'}
              />
            </span>
          )
        }
      />
      <Figure label={text('projected')} value={format.cents(billing.projected_usd)} about={text('projectedAbout')} />
      <Figure
        label={text('plan')}
        value={plans?.current.title ?? ''}
        about={plans && text('tiers', { names: plans.current.tiers.join(', ') })}
      />
    </Figures>
  );
}
