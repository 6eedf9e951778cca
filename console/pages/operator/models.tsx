// The catalog: what is on disk, being fetched, and in memory with its queue.
import { MoreHorizontal } from 'lucide-react';
import { useState } from 'react';
import { type Answer, useChange, useRoute } from '../../api/index.ts';
import { useCommonText } from '../../messages/common.ts';
import { useFormat } from '../../messages/format.ts';
import { Badge, type Tone } from '../../ui/badge.tsx';
import { Button } from '../../ui/button.tsx';
import { Card, Figure, Figures } from '../../ui/card.tsx';
import { Confirm } from '../../ui/dialog.tsx';
import { Problem, Skeleton } from '../../ui/empty.tsx';
import { Menu, MenuItem } from '../../ui/menu.tsx';
import { Progress } from '../../ui/progress.tsx';
import { type Column, Table } from '../../ui/table.tsx';
import { toast } from '../../ui/toast.tsx';
import { useOperatorText } from './text.ts';

type Model = Answer<'listCatalog'>['data'][number];
const tones: Record<Model['state'], Tone> = { ready: 'good', pulling: 'accent', absent: 'plain', unavailable: 'bad' };

export function Catalog() {
  const text = useOperatorText();
  const format = useFormat();
  const [leaving, setLeaving] = useState<string | null>(null);
  const { data, error, refetch } = useRoute('listCatalog', undefined, { everyMs: 2000 });
  const removing = useChange('removeModelFiles', {
    refresh: ['listCatalog'],
    onDone: () => {
      setLeaving(null);
      toast(text('removed'));
    },
  });
  if (error) return <Problem error={error} retry={refetch} />;
  if (!data) return <Skeleton lines={8} />;
  const { engine, trained } = data;
  return (
    <div className="flex flex-col gap-6">
      <Figures>
        <Figure
          label={text('resident')}
          value={format.bytes(engine.resident_bytes)}
          about={
            <span className="flex flex-col gap-1.5">
              {text('residentOf', {
                used: format.bytes(engine.resident_bytes),
                budget: format.bytes(engine.memory_budget_bytes),
              })}
              <Progress
                label={text('resident')}
                value={engine.resident_bytes / Math.max(1, engine.memory_budget_bytes)}
              />
            </span>
          }
        />
        <Figure
          label={text('engine')}
          value={`${engine.busy_workers} / ${engine.workers}`}
          about={text('workers', { busy: engine.busy_workers, all: engine.workers })}
        />
        <Figure
          label={text('trained')}
          value={format.number(trained.models)}
          about={`${format.bytes(trained.resident_bytes)} · ${text('queuedRows', { count: trained.queued_rows })}`}
        />
      </Figures>
      <Card flush>
        <CatalogTable models={data.data} onRemove={setLeaving} />
      </Card>
      {leaving && (
        <Confirm
          open
          onClose={() => setLeaving(null)}
          onConfirm={() => removing.mutate({ params: { alias: leaving } })}
          busy={removing.isPending}
          title={text('removeTitle', { alias: leaving })}
          description={text('removeAbout')}
          action={text('removeFiles')}
        />
      )}
    </div>
  );
}

function CatalogTable({ models, onRemove }: { models: readonly Model[]; onRemove: (alias: string) => void }) {
  const common = useCommonText();
  const text = useOperatorText();
  const format = useFormat();
  const pulling = useChange('pullModel', { refresh: ['listCatalog'] });
  const columns: Column<Model>[] = [
    {
      id: 'model',
      title: text('model'),
      cell: model => (
        <div className="max-w-72 py-2">
          <div className="font-medium">{model.alias}</div>
          <div className="truncate text-xs text-muted">{model.name}</div>
        </div>
      ),
    },
    { id: 'tier', title: text('tier'), className: 'text-muted', cell: model => model.tier },
    {
      id: 'state',
      title: text('state'),
      className: 'min-w-40',
      cell: model =>
        model.pull ? (
          <div className="flex flex-col gap-1.5 py-1.5">
            <span className="text-xs text-muted">
              {format.bytes(model.pull.done_bytes)} / {format.bytes(model.pull.total_bytes)} · {model.pull.source}
            </span>
            <Progress
              label={text('pulling')}
              value={model.pull.total_bytes === 0 ? null : model.pull.done_bytes / model.pull.total_bytes}
            />
          </div>
        ) : (
          <div className="py-1">
            <Badge tone={tones[model.state]}>{text(model.state)}</Badge>
            {model.error && (
              <div className="mt-1 max-w-64 truncate text-xs text-bad" title={model.error}>
                {model.error}
              </div>
            )}
          </div>
        ),
    },
    {
      id: 'memory',
      title: text('inMemory'),
      align: 'end',
      className: 'whitespace-nowrap',
      cell: model =>
        model.loaded ? (
          format.bytes(model.loaded.resident_bytes)
        ) : (
          <span className="text-faint">{text('notLoaded')}</span>
        ),
    },
    {
      id: 'queue',
      title: text('queued'),
      align: 'end',
      className: 'whitespace-nowrap',
      cell: model => model.loaded && text('queuedTexts', { count: model.loaded.queued_texts }),
    },
    {
      id: 'served',
      title: text('served'),
      align: 'end',
      cell: model => model.loaded && format.compact(model.loaded.tokens),
    },
    {
      id: 'menu',
      title: <span className="sr-only">{common('actions')}</span>,
      align: 'end',
      cell: model =>
        model.state === 'ready' ? (
          <Menu
            trigger={
              <Button look="quiet" size="icon" aria-label={text('menu', { name: model.alias })}>
                <MoreHorizontal />
              </Button>
            }
          >
            <MenuItem danger onSelect={() => onRemove(model.alias)}>
              {text('removeFiles')}
            </MenuItem>
          </Menu>
        ) : (
          model.state !== 'pulling' && (
            <Button
              size="small"
              onClick={() => {
                pulling.mutate({ params: { alias: model.alias } });
                toast(text('pullStarted', { alias: model.alias }));
              }}
            >
              {text('pull')}
            </Button>
          )
        ),
    },
  ];
  return <Table label={text('tabModels')} columns={columns} rows={models} rowId={model => model.alias} />;
}
