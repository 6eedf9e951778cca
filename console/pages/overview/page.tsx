// Where one begins: what to do next, what there is, and what it cost.
import { Link, type LinkProps } from '@tanstack/react-router';
import { Check, ChevronRight } from 'lucide-react';
import { useRoute, useSession } from '../../api/index.ts';
import { Page } from '../../layout/page.tsx';
import { useFormat } from '../../messages/format.ts';
import { useText } from '../../messages/index.ts';
import en from '../../messages/en/overview.ts';
import tr from '../../messages/tr/overview.ts';
import { Card, Figure, Figures } from '../../ui/card.tsx';
import { classes } from '../../ui/classes.ts';
import { CopyLine } from '../../ui/copy.tsx';
import { Problem, Skeleton } from '../../ui/empty.tsx';
import { headline, writeMetric } from '../models/metrics.ts';
import { ModelStatus } from '../models/status.tsx';
import { useModelText } from '../models/text.ts';

const files = { en, tr };
const few = { query: { limit: 5 } };

export function OverviewPage() {
  const text = useText(files);
  const { person } = useSession();
  const steps = useSteps();
  const address = (
    <Card title={text('address')} description={text('addressAbout')}>
      <CopyLine value={location.origin} />
    </Card>
  );
  return (
    <Page title={text('hello', { name: person?.name.split(' ')[0] ?? '' })} description={text('about')}>
      <Numbers />
      {steps.every(step => step.done) ? (
        // Whoever has done all of it knows the way.
        <>
          <div className="grid items-start gap-6 lg:grid-cols-2">
            <Datasets />
            <Models />
          </div>
          {address}
        </>
      ) : (
        <div className="grid items-start gap-6 lg:grid-cols-[minmax(0,1fr)_22rem]">
          <div className="flex min-w-0 flex-col gap-6">
            <Steps steps={steps} />
            {address}
          </div>
          <div className="flex min-w-0 flex-col gap-6">
            <Datasets />
            <Models />
          </div>
        </div>
      )}
    </Page>
  );
}

function Numbers() {
  const text = useText(files);
  const format = useFormat();
  const { data, error, refetch } = useRoute('getUsage', { query: { include_daily_breakdown: false } });
  if (error) return <Problem error={error} retry={refetch} />;
  const summary = data?.summary;
  const balance = summary?.current_balance;
  return (
    <Figures>
      <Figure
        label={text('requests')}
        value={summary ? format.number(summary.total_requests) : '–'}
        about={text('lastDays')}
      />
      <Figure
        label={text('tokens')}
        value={summary ? format.compact(summary.total_tokens) : '–'}
        about={text('lastDays')}
      />
      <Figure label={text('spent')} value={summary ? format.cents(summary.total_cost) : '–'} about={text('lastDays')} />
      <Figure
        label={text('balance')}
        value={typeof balance === 'number' ? format.cents(balance) : '–'}
        {...(summary && balance === null && { about: text('unbilled') })}
      />
    </Figures>
  );
}

interface Step {
  title: string;
  about: string;
  done: boolean;
  to: LinkProps;
}

/** From the first vector to the first call by a program, as far as the account has come. */
function useSteps(): Step[] {
  const text = useText(files);
  const { data: usage } = useRoute('getUsage', { query: { include_daily_breakdown: false } });
  const { data: datasets } = useRoute('listDatasets', few);
  const { data: models } = useRoute('listTrainedModels', few);
  const { data: keys } = useRoute('listOwnKeys');
  const newest = datasets?.data[0];
  return [
    {
      title: text('stepPlayground'),
      about: text('stepPlaygroundAbout'),
      done: (usage?.summary.total_tokens ?? 0) > 0,
      to: { to: '/console/playground' },
    },
    {
      title: text('stepUpload'),
      about: text('stepUploadAbout'),
      done: newest !== undefined,
      to: { to: '/console/datasets' },
    },
    {
      title: text('stepClean'),
      about: text('stepCleanAbout'),
      done: datasets?.data.some(({ version }) => version > 1) ?? false,
      to: newest
        ? { to: '/console/datasets/$id', params: { id: newest.dataset_id }, search: { prepare: true } }
        : { to: '/console/datasets' },
    },
    {
      title: text('stepTrain'),
      about: text('stepTrainAbout'),
      done: (models?.data.length ?? 0) > 0,
      to: { to: '/console/models/train' },
    },
    {
      title: text('stepKey'),
      about: text('stepKeyAbout'),
      done: (keys?.data.length ?? 0) > 0,
      to: { to: '/console/keys' },
    },
  ];
}

function Steps({ steps }: { steps: readonly Step[] }) {
  const text = useText(files);
  const done = steps.filter(step => step.done).length;
  return (
    <Card flush title={text('steps')} description={text('stepsAbout', { done, all: steps.length })}>
      <ol className="border-t border-line">
        {steps.map(({ title, about, done: isDone, to }, index) => (
          <li key={title} className="border-b border-line last:border-b-0">
            <Link {...to} className="flex items-center gap-4 px-5 py-3.5 outline-offset-[-2px] hover:bg-hover/60">
              <span
                className={classes(
                  'flex size-7 shrink-0 items-center justify-center rounded-full text-sm font-semibold',
                  isDone ? 'bg-good-soft text-good' : 'bg-accent-soft text-accent',
                )}
              >
                {isDone ? <Check className="size-4" role="img" aria-label={text('done')} /> : index + 1}
              </span>
              <span className="min-w-0 flex-1">
                <span className={classes('block font-medium', isDone && 'text-muted')}>{title}</span>
                <span className="block text-sm text-muted">{about}</span>
              </span>
              <ChevronRight aria-hidden="true" className="size-4 shrink-0 text-faint" />
            </Link>
          </li>
        ))}
      </ol>
    </Card>
  );
}

function Datasets() {
  const text = useText(files);
  const format = useFormat();
  const { data } = useRoute('listDatasets', few);
  return (
    <Card flush title={text('recentDatasets')} actions={<All to="/console/datasets" />}>
      {!data && <Skeleton lines={3} />}
      {data?.data.length === 0 && <p className="px-5 pb-5 text-muted">{text('noDatasets')}</p>}
      <ul>
        {data?.data.map(({ dataset_id: id, name, rows, created_at: at }) => (
          <li key={id} className="border-t border-line">
            <Link
              to="/console/datasets/$id"
              params={{ id }}
              className="block px-5 py-2.5 outline-offset-[-2px] hover:bg-hover/60"
            >
              <span className="block truncate font-medium">{name ?? id}</span>
              <span className="block text-sm text-muted">
                {text('rows', { count: rows })} · {format.ago(at)}
              </span>
            </Link>
          </li>
        ))}
      </ul>
    </Card>
  );
}

function Models() {
  const text = useText(files);
  const names = useModelText();
  const format = useFormat();
  const { data } = useRoute('listTrainedModels', few);
  return (
    <Card flush title={text('recentModels')} actions={<All to="/console/models" />}>
      {!data && <Skeleton lines={3} />}
      {data?.data.length === 0 && <p className="px-5 pb-5 text-muted">{text('noModels')}</p>}
      <ul>
        {data?.data.map(({ model_id: id, name, target, status, metrics }) => {
          const main = headline(metrics);
          return (
            <li key={id} className="border-t border-line">
              <Link
                to="/console/models/$id"
                params={{ id }}
                className="flex items-center gap-3 px-5 py-2.5 outline-offset-[-2px] hover:bg-hover/60"
              >
                <span className="min-w-0 flex-1">
                  <span className="block truncate font-medium">{name ?? target ?? id}</span>
                  <span className="block truncate text-sm text-muted">
                    {main ? `${names(main.name)} ${writeMetric(main.name, main.value, format)}` : target}
                  </span>
                </span>
                <ModelStatus status={status} />
              </Link>
            </li>
          );
        })}
      </ul>
    </Card>
  );
}

function All({ to }: { to: '/console/datasets' | '/console/models' }) {
  const text = useText(files);
  return (
    <Link to={to} className="text-sm text-accent hover:underline">
      {text('all')}
    </Link>
  );
}
