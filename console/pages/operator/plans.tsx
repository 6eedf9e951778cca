// The plans, and how many accounts are on each.
import { useRoute } from '../../api/index.ts';
import { useCommonText } from '../../messages/common.ts';
import { useFormat } from '../../messages/format.ts';
import { Badge } from '../../ui/badge.tsx';
import { Card, Facts } from '../../ui/card.tsx';
import { Problem, Skeleton } from '../../ui/empty.tsx';
import { useOperatorText } from './text.ts';

export function Plans() {
  const common = useCommonText();
  const text = useOperatorText();
  const format = useFormat();
  const { data, error, refetch } = useRoute('listPlansInUse');
  if (error) return <Problem error={error} retry={refetch} />;
  if (!data) return <Skeleton />;
  const most = (count: number | null) => (count === null ? common('unlimited') : format.number(count));
  const limits = (...parts: (string | null)[]) => parts.filter(Boolean).join(', ') || common('unlimited');
  return (
    <div className="flex flex-col gap-4">
      <p className="text-muted">{text('plansAbout', { credit: format.money(data.sign_up_credit_usd) })}</p>
      <div className="grid gap-6 md:grid-cols-2">
        {data.data.map(plan => (
          <Card
            key={plan.name}
            title={plan.title}
            actions={<Badge tone="accent">{text('accounts', { count: plan.accounts })}</Badge>}
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
                [text('mostKeys'), most(plan.max_keys)],
              ]}
            />
          </Card>
        ))}
      </div>
    </div>
  );
}
