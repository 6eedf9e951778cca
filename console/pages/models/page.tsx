// All trained models.
import { Link, useNavigate } from '@tanstack/react-router';
import { Boxes, BrainCircuit, MessagesSquare, Scale } from 'lucide-react';
import { useState } from 'react';
import { type Answer, useMay, useRoute } from '../../api/index.ts';
import { Page } from '../../layout/page.tsx';
import { useCommonText } from '../../messages/common.ts';
import { useFormat } from '../../messages/format.ts';
import { Badge } from '../../ui/badge.tsx';
import { Button, ButtonLink } from '../../ui/button.tsx';
import { Card } from '../../ui/card.tsx';
import { Empty, Problem, Skeleton } from '../../ui/empty.tsx';
import { Progress } from '../../ui/progress.tsx';
import { type Column, Table } from '../../ui/table.tsx';
import { headline, writeMetric } from './metrics.ts';
import { ModelStatus, isOver } from './status.tsx';
import { useModelText } from './text.ts';

type Model = Answer<'listTrainedModels'>['data'][number];

const atOnce = 100;

export function ModelsPage() {
  const common = useCommonText();
  const text = useModelText();
  const navigate = useNavigate();
  const mayChange = useMay('member');
  const [limit, setLimit] = useState(atOnce);
  const [moving, setMoving] = useState(false);
  const { data, error, refetch, isFetching } = useRoute(
    'listTrainedModels',
    { query: { limit } },
    { keep: true, everyMs: moving && 2000 },
  );
  const hasMoving = data?.data.some(({ status }) => !isOver(status)) ?? false;
  if (data && hasMoving !== moving) setMoving(hasMoving);
  const columns = useColumns();
  return (
    <Page
      title={common('models')}
      description={text('about')}
      actions={
        <>
          <ButtonLink icon={<MessagesSquare />} to="/console/models/chat">
            {text('chat')}
          </ButtonLink>
          {(data?.data.length ?? 0) > 1 && (
            <ButtonLink icon={<Scale />} to="/console/models/compare">
              {text('compare')}
            </ButtonLink>
          )}
          {mayChange && (
            <ButtonLink look="primary" icon={<BrainCircuit />} to="/console/models/train">
              {text('train')}
            </ButtonLink>
          )}
        </>
      }
    >
      {error && <Problem error={error} retry={refetch} />}
      {!error && (
        <Card flush>
          {!data && <Skeleton />}
          {data && data.data.length === 0 && <NoModels mayChange={mayChange} />}
          {data && data.data.length > 0 && (
            <Table
              label={text('yours')}
              columns={columns}
              rows={data.data}
              rowId={row => row.model_id}
              onRow={row => void navigate({ to: '/console/models/$id', params: { id: row.model_id } })}
            />
          )}
          {data?.has_more && (
            <div className="border-t border-line p-3 text-center">
              <Button size="small" busy={isFetching} onClick={() => setLimit(Math.min(1000, limit + atOnce))}>
                {common('more')}
              </Button>
            </div>
          )}
        </Card>
      )}
    </Page>
  );
}

function NoModels({ mayChange }: { mayChange: boolean }) {
  const text = useModelText();
  const { data } = useRoute('listDatasets', { query: { limit: 1 } });
  const hasData = (data?.data.length ?? 0) > 0;
  return (
    <Empty
      icon={<Boxes />}
      title={text('emptyTitle')}
      action={
        mayChange &&
        (hasData ? (
          <ButtonLink look="primary" to="/console/models/train">
            {text('train')}
          </ButtonLink>
        ) : (
          <ButtonLink look="primary" to="/console/datasets">
            {text('toDatasets')}
          </ButtonLink>
        ))
      }
    >
      {hasData || !data ? text('emptyAbout') : text('emptyNoData')}
    </Empty>
  );
}

function useColumns(): Column<Model>[] {
  const text = useModelText();
  const format = useFormat();
  return [
    {
      id: 'name',
      title: text('name'),
      cell: ({ model_id: id, name, aliases }) => (
        <div className="max-w-72 min-w-44 py-1.5">
          <Link to="/console/models/$id" params={{ id }} className="block truncate font-medium hover:text-accent">
            {name ?? id}
          </Link>
          {aliases.length > 0 && (
            <span className="mt-1 flex flex-wrap gap-1">
              {aliases.map(alias => (
                <Badge key={alias} tone="accent">
                  {alias}
                </Badge>
              ))}
            </span>
          )}
        </div>
      ),
    },
    {
      id: 'type',
      title: text('type'),
      cell: ({ model_type: type }) => <span className="whitespace-nowrap">{text(type)}</span>,
    },
    {
      id: 'target',
      title: text('target'),
      cell: ({ target }) => <span className="block max-w-48 truncate">{target ?? '–'}</span>,
    },
    {
      id: 'quality',
      title: text('quality'),
      align: 'end',
      cell: ({ metrics, status, progress }) => {
        const main = headline(metrics);
        if (!isOver(status))
          return (
            <div className="ml-auto w-28">
              <Progress value={progress > 0 ? progress : null} label={text('progressLabel')} />
            </div>
          );
        if (!main) return '–';
        return (
          <span className="whitespace-nowrap">
            <span className="text-muted">{text(main.name)}</span>{' '}
            <span className="font-medium">{writeMetric(main.name, main.value, format)}</span>
          </span>
        );
      },
    },
    { id: 'status', title: text('status'), cell: ({ status }) => <ModelStatus status={status} /> },
    {
      id: 'created',
      title: text('created'),
      align: 'end',
      cell: ({ created_at: at }) => (
        <time dateTime={at} title={format.time(at)} className="whitespace-nowrap text-muted">
          {format.ago(at)}
        </time>
      ),
    },
  ];
}
