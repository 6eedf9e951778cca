// One dataset: its rows, columns, versions, and the place where it is prepared.
import { Link, useNavigate, useParams, useSearch } from '@tanstack/react-router';
import { ArrowLeft, BrainCircuit, Download, Ellipsis, Pencil, Trash2, WandSparkles } from 'lucide-react';
import { lazy, Suspense, useState } from 'react';
import { type Answer, addressOf, useChange, useMay, useRoute } from '../../api/index.ts';
import { Page } from '../../layout/page.tsx';
import { useCommonText } from '../../messages/common.ts';
import { useFormat } from '../../messages/format.ts';
import { CodeSamples } from '../../samples/code-samples.tsx';
import { Button, ButtonLink } from '../../ui/button.tsx';
import { Card } from '../../ui/card.tsx';
import { Confirm, Dialog } from '../../ui/dialog.tsx';
import { Problem, Skeleton } from '../../ui/empty.tsx';
import { TextArea, TextField } from '../../ui/field.tsx';
import { Menu, MenuItem, MenuLabel } from '../../ui/menu.tsx';
import { Tabs } from '../../ui/tabs.tsx';
import { toast } from '../../ui/toast.tsx';
import { ColumnsView } from './columns-view.tsx';
import { HistoryView } from './history-view.tsx';
import { RowsView } from './rows-view.tsx';
import { useDatasetText } from './text.ts';

export type WholeDataset = Answer<'getDataset'>;

// The builder comes with a catalog of operations that whoever only looks doesn't need.
const Prepare = lazy(async () => ({ default: (await import('./prepare/prepare.tsx')).Prepare }));

export function DatasetPage() {
  const { id } = useParams({ from: '/inside/console/datasets/$id' });
  const { version } = useSearch({ from: '/inside/console/datasets/$id' });
  const reference = version === undefined ? id : `${id}@${version}`;
  const { data, error, refetch } = useRoute('getDataset', { params: { id: reference } }, { keep: true });
  const common = useCommonText();
  if (!data)
    return (
      <Page title={common('datasets')} above={<BackToAll />}>
        {error ? <Problem error={error} retry={refetch} /> : <Skeleton lines={8} />}
      </Page>
    );
  return <Whole key={data.dataset_id} dataset={data} />;
}

function Whole({ dataset }: { dataset: WholeDataset }) {
  const text = useDatasetText();
  const format = useFormat();
  const navigate = useNavigate();
  const mayChange = useMay('member');
  const search = useSearch({ from: '/inside/console/datasets/$id' });
  const { tab = 'rows', prepare = false } = search;
  const id = dataset.dataset_id;
  const newest = dataset.versions[0]?.version ?? dataset.version;
  const isNewest = dataset.version === newest;
  const name = dataset.name ?? id;
  const go = (changes: { [Key in keyof typeof search]: (typeof search)[Key] | undefined }) =>
    void navigate({
      to: '/console/datasets/$id',
      params: { id },
      // What is undefined is left out of the address.
      search: { ...search, ...changes } as typeof search,
      replace: true,
    });

  return (
    <Page
      wide
      above={<BackToAll />}
      title={name}
      description={
        <>
          {dataset.description && <span className="mb-1 block">{dataset.description}</span>}
          {[
            text('rows', { count: dataset.rows }),
            text('columns', { count: dataset.columns.length }),
            text('versionNumber', { number: dataset.version }),
            format.ago(dataset.created_at),
          ].join(' · ')}
        </>
      }
      actions={
        <>
          <Actions dataset={dataset} mayChange={mayChange} />
          {mayChange && (
            <>
              <Button
                icon={<WandSparkles />}
                aria-pressed={prepare}
                onClick={() => go({ tab: 'rows', prepare: prepare ? undefined : true })}
              >
                {text('prepare')}
              </Button>
              <ButtonLink
                look="primary"
                icon={<BrainCircuit />}
                to="/console/models/train"
                search={{ dataset: isNewest ? id : `${id}@${dataset.version}` }}
              >
                {text('train')}
              </ButtonLink>
            </>
          )}
        </>
      }
    >
      {!isNewest && (
        <div className="flex flex-wrap items-center justify-between gap-3 rounded-lg bg-warn-soft px-4 py-2.5">
          {text('oldVersion', { version: dataset.version, newest })}
          <Button size="small" onClick={() => go({ version: undefined })}>
            {text('showNewest')}
          </Button>
        </div>
      )}
      <Rejected dataset={dataset} />
      {prepare && mayChange ? (
        <Suspense fallback={<Skeleton lines={8} />}>
          <Prepare
            key={dataset.version}
            dataset={dataset}
            onClose={() => go({ prepare: undefined })}
            onDone={() => go({ version: undefined, prepare: undefined, tab: 'rows' })}
          />
        </Suspense>
      ) : (
        <Tabs
          label={text('tabs')}
          value={tab}
          onChange={chosen =>
            go({ tab: chosen === 'columns' || chosen === 'history' || chosen === 'code' ? chosen : undefined })
          }
          tabs={[
            { id: 'rows', title: text('rowsTab'), content: <RowsView dataset={dataset} /> },
            { id: 'columns', title: text('columnsTab'), content: <ColumnsView dataset={dataset} /> },
            { id: 'history', title: text('historyTab'), content: <HistoryView dataset={dataset} /> },
            {
              id: 'code',
              title: text('codeTab'),
              content: (
                <Card title={text('codeTab')} description={text('codeAbout')}>
                  <CodeSamples request={{ method: 'GET', path: `/api/v2/data/${id}/rows?offset=0&limit=100` }} />
                </Card>
              ),
            },
          ]}
        />
      )}
    </Page>
  );
}

function BackToAll() {
  const text = useDatasetText();
  return (
    <Link to="/console/datasets" className="mb-2 inline-flex items-center gap-1.5 text-sm text-muted hover:text-ink">
      <ArrowLeft aria-hidden="true" className="size-3.5" />
      {text('allDatasets')}
    </Link>
  );
}

function Actions({ dataset, mayChange }: { dataset: WholeDataset; mayChange: boolean }) {
  const text = useDatasetText();
  const common = useCommonText();
  const navigate = useNavigate();
  const [asking, setAsking] = useState<'rename' | 'delete' | null>(null);
  const id = dataset.dataset_id;
  const remove = useChange('deleteDataset', {
    refresh: ['listDatasets'],
    onDone: () => {
      toast(text('deleted'));
      void navigate({ to: '/console/datasets' });
    },
  });
  return (
    <>
      <Menu
        trigger={
          <Button icon={<Download />} aria-label={text('download')}>
            <span className="hidden sm:inline">{text('download')}</span>
          </Button>
        }
      >
        <MenuLabel>{text('downloadAs', { version: dataset.version })}</MenuLabel>
        {(['csv', 'json', 'ndjson', 'parquet'] as const).map(kind => (
          <MenuItem
            key={kind}
            onSelect={() =>
              location.assign(
                addressOf('downloadDataset', { params: { id: `${id}@${dataset.version}` }, query: { format: kind } }),
              )
            }
          >
            {{ csv: 'CSV', json: 'JSON', ndjson: 'NDJSON', parquet: 'Parquet' }[kind]}
          </MenuItem>
        ))}
      </Menu>
      {mayChange && (
        <Menu
          trigger={
            <Button size="icon" className="size-8.5" aria-label={common('actions')}>
              <Ellipsis />
            </Button>
          }
        >
          <MenuItem icon={<Pencil />} onSelect={() => setAsking('rename')}>
            {text('rename')}
          </MenuItem>
          <MenuItem danger icon={<Trash2 />} onSelect={() => setAsking('delete')}>
            {text('delete')}
          </MenuItem>
        </Menu>
      )}
      {asking === 'rename' && <Rename dataset={dataset} onClose={() => setAsking(null)} />}
      <Confirm
        open={asking === 'delete'}
        onClose={() => setAsking(null)}
        title={text('deleteTitle')}
        description={text('deleteAbout', { count: dataset.version_count })}
        action={text('deleteAction')}
        busy={remove.isPending}
        onConfirm={() => remove.mutate({ params: { id } })}
      />
    </>
  );
}

function Rename({ dataset, onClose }: { dataset: WholeDataset; onClose: () => void }) {
  const text = useDatasetText();
  const common = useCommonText();
  const [name, setName] = useState(dataset.name ?? '');
  const [description, setDescription] = useState(dataset.description ?? '');
  const patch = useChange('patchDataset', { refresh: ['getDataset', 'listDatasets'], onDone: onClose, quiet: true });
  const form = 'rename-dataset';
  return (
    <Dialog
      open
      onClose={onClose}
      title={text('rename')}
      actions={
        <>
          <Button onClick={onClose}>{common('cancel')}</Button>
          <Button look="primary" type="submit" form={form} busy={patch.isPending}>
            {common('save')}
          </Button>
        </>
      }
    >
      <form
        id={form}
        className="flex flex-col gap-4"
        onSubmit={event => {
          event.preventDefault();
          patch.mutate({
            params: { id: dataset.dataset_id },
            body: { name: name.trim() || null, description: description.trim() || null },
          });
        }}
      >
        <TextField
          label={text('datasetName')}
          value={name}
          maxLength={200}
          onChange={event => setName(event.target.value)}
        />
        <TextArea
          label={text('description')}
          value={description}
          optional={common('optional')}
          onChange={event => setDescription(event.target.value)}
        />
        {patch.error && <Problem error={patch.error} />}
      </form>
    </Dialog>
  );
}

/** Lines of the file that are no rows are never passed over in silence. */
function Rejected({ dataset: { rejected, notes, version } }: { dataset: WholeDataset }) {
  const text = useDatasetText();
  if (version !== 1 || (rejected.count === 0 && notes.length === 0)) return null;
  return (
    <details className="rounded-lg border border-line bg-surface px-4 py-2.5">
      <summary className={rejected.count > 0 ? 'font-medium text-warn' : 'text-muted'}>
        {rejected.count > 0 ? text('rejectedTitle', { count: rejected.count }) : text('notes')}
      </summary>
      <ul className="mt-2 flex flex-col gap-1.5 pb-1 text-sm">
        {notes.map(note => (
          <li key={note}>{note}</li>
        ))}
        {rejected.samples.map(({ line, reason, text: content }) => (
          <li key={line}>
            {text('rejectedLine', { line, reason })}
            <code className="block truncate font-mono text-xs text-muted">{content}</code>
          </li>
        ))}
      </ul>
    </details>
  );
}
