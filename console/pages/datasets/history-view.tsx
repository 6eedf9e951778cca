// The versions of a dataset, how the one that is shown was made, and its recipe.
import { Link, useNavigate } from '@tanstack/react-router';
import { Trash2 } from 'lucide-react';
import { useState } from 'react';
import { useChange, useMay, useRoute } from '../../api/index.ts';
import { useFormat } from '../../messages/format.ts';
import { Badge } from '../../ui/badge.tsx';
import { Button } from '../../ui/button.tsx';
import { Card } from '../../ui/card.tsx';
import { CodeBlock } from '../../ui/copy.tsx';
import { Confirm } from '../../ui/dialog.tsx';
import type { WholeDataset } from './dataset.tsx';
import { useOperationText } from './prepare/text.ts';
import { useDatasetText } from './text.ts';

export function HistoryView({ dataset }: { dataset: WholeDataset }) {
  const text = useDatasetText();
  const parentName = useParentName(dataset.dataset_id);
  const { lineage, recipe } = dataset;
  return (
    <div className="grid items-start gap-6 lg:grid-cols-2">
      <Versions dataset={dataset} />
      <div className="flex min-w-0 flex-col gap-6">
        <Card
          title={text('lineage')}
          description={
            lineage.parents.length > 0
              ? text('madeFrom', { parents: lineage.parents.map(parentName).join(', ') })
              : text('lineageUpload')
          }
        >
          {lineage.report.length > 0 && <Report report={lineage.report} />}
          {dataset.sha256 && (
            <p className="text-sm text-muted">
              {text('sha')} <code className="mt-1 block font-mono text-xs break-all">{dataset.sha256}</code>
            </p>
          )}
        </Card>
        {recipe.length > 0 && (
          <Card title={text('recipe')} description={text('recipeAbout')}>
            <CodeBlock code={JSON.stringify(recipe, null, 2)} label={text('recipe')} />
          </Card>
        )}
      </div>
    </div>
  );
}

function Versions({ dataset }: { dataset: WholeDataset }) {
  const text = useDatasetText();
  const format = useFormat();
  const navigate = useNavigate();
  const mayChange = useMay('member');
  const [removing, setRemoving] = useState<number | null>(null);
  const id = dataset.dataset_id;
  const parentName = useParentName(id);
  const remove = useChange('deleteDataset', {
    refresh: ['getDataset', 'listDatasets'],
    onDone: () => {
      setRemoving(null);
      void navigate({ to: '/console/datasets/$id', params: { id }, search: { tab: 'history' } });
    },
  });
  return (
    <Card title={text('versions')} flush>
      <ol className="border-t border-line">
        {dataset.versions.map(({ version, rows, size_bytes: bytes, created_at: at, parents }, index) => (
          <li key={version} className="flex items-center gap-3 border-b border-line px-5 py-3 last:border-b-0">
            <span
              aria-hidden="true"
              className={`size-2.5 shrink-0 rounded-full ${version === dataset.version ? 'bg-accent' : 'bg-line-strong'}`}
            />
            <div className="min-w-0 flex-1">
              <div className="flex flex-wrap items-center gap-2">
                <Link
                  to="/console/datasets/$id"
                  params={{ id }}
                  search={index === 0 ? { tab: 'history' } : { tab: 'history', version }}
                  className="font-medium hover:text-accent"
                >
                  {text('versionNumber', { number: version })}
                </Link>
                {index === 0 && <Badge tone="accent">{text('newest')}</Badge>}
                {version === dataset.version && <Badge>{text('shown')}</Badge>}
              </div>
              <div className="text-sm text-muted">
                {[
                  text('rows', { count: rows }),
                  format.bytes(bytes),
                  format.ago(at),
                  parents.length === 0
                    ? text('uploaded')
                    : text('madeFrom', { parents: parents.map(parentName).join(', ') }),
                ].join(' · ')}
              </div>
            </div>
            {mayChange && dataset.versions.length > 1 && (
              <Button
                size="icon"
                look="quiet"
                aria-label={text('deleteVersion', { number: version })}
                onClick={() => setRemoving(version)}
              >
                <Trash2 />
              </Button>
            )}
          </li>
        ))}
      </ol>
      <Confirm
        open={removing !== null}
        onClose={() => setRemoving(null)}
        title={text('deleteVersion', { number: removing ?? 0 })}
        description={text('deleteVersionAbout')}
        action={text('delete')}
        busy={remove.isPending}
        onConfirm={() => remove.mutate({ params: { id: `${id}@${removing}` } })}
      />
    </Card>
  );
}

/** What each operation did. */
export function Report({ report }: { report: WholeDataset['lineage']['report'] }) {
  const text = useDatasetText();
  const operations = useOperationText();
  return (
    <ol className="mb-4 flex flex-col gap-3 last:mb-0">
      {report.map((step, index) => {
        const cells = Object.values(step.cells_changed).reduce((sum, count) => sum + count, 0);
        const facts = [
          step.rows_in !== step.rows_out && text('rowsFromTo', { from: step.rows_in, to: step.rows_out }),
          cells > 0 && text('cellsChanged', { count: cells }),
          step.columns_added.length > 0 && text('added', { names: step.columns_added.join(', ') }),
          step.columns_removed.length > 0 && text('removed', { names: step.columns_removed.join(', ') }),
        ].filter(fact => typeof fact === 'string');
        return (
          // Steps have no name but their place.
          // oxlint-disable-next-line react/no-array-index-key
          <li key={index} className="flex gap-3">
            <span className="flex size-5.5 shrink-0 items-center justify-center rounded-full bg-hover text-xs font-medium text-muted">
              {index + 1}
            </span>
            <div className="min-w-0">
              <div className="font-medium">{operations.title(step.op === 'clean' ? 'automatic' : step.op)}</div>
              <div className="text-sm break-words text-muted">{facts.join(' · ')}</div>
            </div>
          </li>
        );
      })}
    </ol>
  );
}

/** A version of the same dataset by its number, one of another by its name. */
function useParentName(id: string): (reference: string) => string {
  const text = useDatasetText();
  const { data } = useRoute('listDatasets');
  return reference => {
    const [dataset, version] = reference.split('@');
    const number = text('versionNumber', { number: version ?? '' });
    if (dataset === id) return number;
    return `${data?.data.find(each => each.dataset_id === dataset)?.name ?? dataset}, ${number}`;
  };
}
