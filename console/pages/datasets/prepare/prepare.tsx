// The place where a dataset is prepared: steps on one side, what they make of the table on the other.
import { useNavigate } from '@tanstack/react-router';
import { Braces, ListPlus, Plus, Redo2, Undo2, WandSparkles, X } from 'lucide-react';
import { useEffect, useMemo, useReducer, useState } from 'react';
import { ApiProblem, useRoute } from '../../../api/index.ts';
import { useCommonText } from '../../../messages/common.ts';
import { CodeSamples } from '../../../samples/code-samples.tsx';
import { Button } from '../../../ui/button.tsx';
import { Empty, Problem } from '../../../ui/empty.tsx';
import { Progress } from '../../../ui/progress.tsx';
import { Spinner } from '../../../ui/spinner.tsx';
import { toast } from '../../../ui/toast.tsx';
import type { WholeDataset } from '../dataset.tsx';
import { Grid } from '../grid/grid.tsx';
import { change, emptyHistory, missing, toOperation } from '../operations/draft.ts';
import { AddStep } from './add-step.tsx';
import { useApply } from './apply.ts';
import { JsonDialog, RecipeDialog } from './dialogs.tsx';
import { usePreview } from './preview.ts';
import { Step } from './step.tsx';
import { useOperationText } from './text.ts';

interface PrepareProps {
  dataset: WholeDataset;
  onClose: () => void;
  onDone: () => void;
}

export function Prepare({ dataset, onClose, onDone }: PrepareProps) {
  const text = useOperationText();
  const common = useCommonText();
  const navigate = useNavigate();
  const [history, put] = useReducer(change, emptyHistory);
  const [open, setOpen] = useState<'add' | 'json' | 'recipe' | null>(null);
  const drafts = history.present;
  const complete = drafts.filter(draft => missing(draft).length === 0);
  const operations = useMemo(() => drafts.filter(draft => missing(draft).length === 0).map(toOperation), [drafts]);
  const reference = `${dataset.dataset_id}@${dataset.version}`;
  const { preview, problem, retry, busy, waitingSeconds } = usePreview(reference, operations);
  const apply = useApply(reference, result => {
    if (result.outputs.length > 0) {
      toast(text('madeDatasets', { names: result.outputs.map(({ name }) => name).join(', ') }));
      void navigate({ to: '/console/datasets' });
      return;
    }
    toast(text('applied', { version: result.version ?? dataset.version + 1 }));
    onDone();
  });
  const shown = apply.problem ?? problem;
  // The API counts the operations that were sent; those that aren't complete weren't.
  const place = shown instanceof ApiProblem ? /^operations\[(\d+)\]/.exec(shown.param ?? '')?.[1] : undefined;
  const faulty = place === undefined ? undefined : complete[Number(place)]?.id;

  useEffect(() => {
    const onKey = (event: KeyboardEvent) => {
      const key = event.key.toLowerCase();
      if (!(event.ctrlKey || event.metaKey) || (key !== 'z' && key !== 'y')) return;
      event.preventDefault();
      put({ kind: key === 'y' || event.shiftKey ? 'redo' : 'undo' });
    };
    addEventListener('keydown', onKey);
    return () => removeEventListener('keydown', onKey);
  }, []);

  return (
    <div className="grid items-start gap-5 lg:grid-cols-[22rem_minmax(0,1fr)]">
      <section
        aria-label={text('panel')}
        className="rounded-xl border border-line bg-surface shadow-card lg:sticky lg:top-20 lg:flex lg:max-h-[calc(100dvh-6.5rem)] lg:flex-col"
      >
        <div className="flex items-center gap-1 border-b border-line py-2.5 pr-2 pl-5">
          <h2 className="mr-auto font-semibold">{text('steps')}</h2>
          <Button
            size="icon"
            look="quiet"
            aria-label={text('undo')}
            disabled={history.past.length === 0}
            onClick={() => put({ kind: 'undo' })}
          >
            <Undo2 />
          </Button>
          <Button
            size="icon"
            look="quiet"
            aria-label={text('redo')}
            disabled={history.future.length === 0}
            onClick={() => put({ kind: 'redo' })}
          >
            <Redo2 />
          </Button>
          <Button size="icon" look="quiet" aria-label={text('fromRecipe')} onClick={() => setOpen('recipe')}>
            <ListPlus />
          </Button>
          <Button size="icon" look="quiet" aria-label={text('asJson')} onClick={() => setOpen('json')}>
            <Braces />
          </Button>
          <Button size="icon" look="quiet" aria-label={common('close')} onClick={onClose}>
            <X />
          </Button>
        </div>
        <div className="min-h-0 flex-1 overflow-y-auto p-3">
          {drafts.length === 0 && (
            <Empty
              icon={<WandSparkles />}
              title={text('emptyTitle')}
              action={
                <Button onClick={() => put({ kind: 'add', family: 'clean', op: 'automatic' })}>
                  {text('startAutomatic')}
                </Button>
              }
            >
              {text('emptyAbout')}
            </Empty>
          )}
          <ol className="flex flex-col gap-2">
            {drafts.map((draft, index) => (
              <Step
                key={draft.id}
                draft={draft}
                number={index + 1}
                last={index === drafts.length - 1}
                columns={preview?.columns ?? dataset.columns}
                before={dataset.columns}
                datasetId={dataset.dataset_id}
                problem={faulty === draft.id ? shown : null}
                onChange={put}
              />
            ))}
          </ol>
          <Button look="quiet" icon={<Plus />} className="mt-2 w-full" onClick={() => setOpen('add')}>
            {text('addStep')}
          </Button>
        </div>
        <div className="flex flex-col gap-3 border-t border-line p-3">
          {apply.problem && faulty === undefined && <Problem error={apply.problem} />}
          {apply.progress === null ? (
            <Button
              look="primary"
              disabled={operations.length === 0 || operations.length < drafts.length}
              onClick={() => apply.start(operations)}
            >
              {drafts.length === 0 ? text('applyNone') : text('apply', { count: drafts.length })}
            </Button>
          ) : (
            <div className="flex flex-col gap-2" role="status">
              <div className="flex items-center justify-between text-sm text-muted">
                {text('applying')}
                <Button size="small" look="quiet" onClick={apply.cancel}>
                  {text('cancelRun')}
                </Button>
              </div>
              <Progress value={apply.progress > 0 ? apply.progress : null} label={text('applying')} />
            </div>
          )}
        </div>
      </section>

      <div className="flex min-w-0 flex-col gap-3">
        <div className="flex h-6 items-center gap-2 text-sm text-muted" role="status">
          {operations.length === 0 ? text('previewUnchanged') : text('previewTitle', { count: operations.length })}
          {busy && <Spinner />}
          {waitingSeconds !== null && text('previewWaiting', { seconds: waitingSeconds })}
          {operations.some(({ params }) => params?.['op'] === 'embed_text') && text('previewCosts')}
        </div>
        {problem && faulty === undefined && <Problem error={problem} retry={retry} />}
        <Result dataset={dataset} preview={preview} steps={operations.length} />
        {operations.length > 0 && (
          <details className="rounded-xl border border-line bg-surface px-5 py-3">
            <summary className="font-medium">{text('code')}</summary>
            <div className="mt-3">
              <CodeSamples
                request={{ method: 'POST', path: '/api/v2/process', body: { dataset_id: reference, operations } }}
              />
            </div>
          </details>
        )}
      </div>

      <AddStep
        open={open === 'add'}
        onClose={() => setOpen(null)}
        onAdd={(family, op) => put({ kind: 'add', family, op })}
      />
      {open === 'json' && (
        <JsonDialog
          operations={drafts.map(toOperation)}
          onClose={() => setOpen(null)}
          onTake={taken => put({ kind: 'replace', operations: taken })}
        />
      )}
      {open === 'recipe' && (
        <RecipeDialog onClose={() => setOpen(null)} onTake={taken => put({ kind: 'replace', operations: taken })} />
      )}
    </div>
  );
}

function Result({
  dataset,
  preview,
  steps,
}: {
  dataset: WholeDataset;
  preview: ReturnType<typeof usePreview>['preview'];
  steps: number;
}) {
  const text = useOperationText();
  const query = { offset: 0, limit: 100 };
  const { data } = useRoute('getRows', { params: { id: `${dataset.dataset_id}@${dataset.version}` }, query });
  const before = useMemo(() => new Map(dataset.columns.map(({ name, type }) => [name, type])), [dataset.columns]);
  const columns = (preview?.columns ?? dataset.columns).map(({ name, type }) => ({
    name,
    type,
    fresh: preview !== null && before.get(name) !== type,
  }));
  const rows = preview?.preview ?? data?.data ?? [];
  return (
    <Grid
      key={preview ? 'preview' : 'before'}
      label={steps === 0 ? text('previewUnchanged') : text('previewRows', { count: rows.length })}
      columns={columns}
      rows={rows.length}
      row={index => rows[index]}
      headHeight={44}
      className="h-[calc(100dvh-16rem)] min-h-80 rounded-xl border border-line shadow-card"
    />
  );
}
