// One model: its training as it happens, and once it is ready what it is worth and what it says.
import { Link, useNavigate, useParams } from '@tanstack/react-router';
import { ArrowLeft, CircleStop, Download, MessagesSquare, Trash2 } from 'lucide-react';
import { useState } from 'react';
import { type Answer, ApiProblem, addressOf, useChange, useMay, useRoute } from '../../api/index.ts';
import { Page } from '../../layout/page.tsx';
import { ViewerNote } from '../../layout/viewer-note.tsx';
import { useFormat } from '../../messages/format.ts';
import { Button, ButtonLink } from '../../ui/button.tsx';
import { Card } from '../../ui/card.tsx';
import { CopyLine } from '../../ui/copy.tsx';
import { Confirm } from '../../ui/dialog.tsx';
import { Problem, Skeleton } from '../../ui/empty.tsx';
import { Menu, MenuItem } from '../../ui/menu.tsx';
import { Progress } from '../../ui/progress.tsx';
import { Tabs } from '../../ui/tabs.tsx';
import { toast } from '../../ui/toast.tsx';
import { Curves } from './curves.tsx';
import { type Live, useLive } from './live.ts';
import { PredictForm } from './predict-form.tsx';
import { Results } from './results.tsx';
import { ModelStatus, isOver } from './status.tsx';
import { useModelText } from './text.ts';
import { Aliases, Details } from './use-it.tsx';

type Model = Answer<'getTrainedModel'>;

export function ModelPage() {
  const text = useModelText();
  const { id } = useParams({ from: '/inside/console/models/$id' });
  const { data, error, refetch } = useRoute('getTrainedModel', { params: { id } });
  if (!data)
    return (
      <Page title={text('cardOf')} above={<BackToAll />}>
        {error ? <Problem error={error} retry={refetch} /> : <Skeleton lines={8} />}
      </Page>
    );
  return <Whole key={data.model_id} model={data} />;
}

function Whole({ model }: { model: Model }) {
  const text = useModelText();
  const format = useFormat();
  const live = useLive(model);
  const { status, target, model_type: type } = model;
  const name = model.name ?? model.model_id;
  return (
    <Page
      above={<BackToAll />}
      title={name}
      description={
        <span className="flex flex-wrap items-center gap-x-3 gap-y-1">
          <ModelStatus status={status} />
          <span>
            {[text(type), type === 'llm' ? null : target, format.ago(model.created_at)].filter(Boolean).join(' · ')}
          </span>
        </span>
      }
      actions={<Actions model={model} />}
    >
      <ViewerNote />
      {!isOver(status) && <Running model={model} live={live} />}
      {status === 'failed' && (
        <Problem
          error={
            new ApiProblem(model.error?.message ?? text('failedTitle'), {
              status: model.error?.code === 'INTERNAL_ERROR' ? 500 : 400,
              code: model.error?.code ?? 'UNKNOWN',
            })
          }
        />
      )}
      {status === 'succeeded' ? (
        <Tabs
          label={text('views')}
          tabs={[
            { id: 'results', title: text('results'), content: <Results model={model} /> },
            ...(model.features?.length
              ? [{ id: 'predict', title: text('predict'), content: <PredictForm model={model} /> }]
              : []),
            {
              id: 'training',
              title: text('training'),
              content: (
                <div className="flex flex-col gap-6">
                  {live.epochs.length > 0 && <Curves epochs={live.epochs} />}
                  <Details model={model} />
                </div>
              ),
            },
            {
              id: 'use',
              title: text('useIt'),
              content: (
                <div className="grid items-start gap-6 lg:grid-cols-2">
                  <Aliases model={model} />
                  <Card title={text('modelId')} description={text('modelIdAbout')}>
                    <CopyLine value={model.model_id} />
                  </Card>
                </div>
              ),
            },
          ]}
        />
      ) : (
        live.epochs.length > 0 && <Curves epochs={live.epochs} />
      )}
      {(status === 'failed' || status === 'cancelled') && (
        <div>
          <ButtonLink to="/console/models/train" search={{ dataset: model.dataset_id }}>
            {text('tryOther')}
          </ButtonLink>
        </div>
      )}
    </Page>
  );
}

function Running({ model, live }: { model: Model; live: Live }) {
  const text = useModelText();
  const mayChange = useMay('member');
  const last = live.epochs.at(-1);
  const cancel = useChange('cancelTraining', { refresh: ['getTrainedModel', 'listTrainedModels'] });
  return (
    <Card>
      <div className="flex flex-wrap items-center justify-between gap-3">
        <div role="status">
          <div className="font-medium">
            {last
              ? text('epochNow', { epoch: last.epoch })
              : model.status === 'queued'
                ? text('waitingForTurn')
                : text('preparing')}
          </div>
          {live.started && (
            <div className="text-sm text-muted">
              {text('startedWith', {
                training: live.started.rows.training,
                validation: live.started.rows.validation + live.started.rows.test,
                parameters: live.started.parameters,
              })}
            </div>
          )}
        </div>
        {mayChange && (
          <Button
            icon={<CircleStop />}
            busy={cancel.isPending}
            onClick={() => cancel.mutate({ params: { id: model.model_id } })}
          >
            {text('cancelTraining')}
          </Button>
        )}
      </div>
      <div className="mt-4">
        <Progress value={live.progress > 0 ? live.progress : null} label={text('progressLabel')} />
      </div>
    </Card>
  );
}

function Actions({ model }: { model: Model }) {
  const text = useModelText();
  const navigate = useNavigate();
  const mayChange = useMay('member');
  const [asking, setAsking] = useState(false);
  const id = model.model_id;
  const remove = useChange('deleteTrainedModel', {
    refresh: ['listTrainedModels'],
    onDone: () => {
      toast(text('deleted'));
      void navigate({ to: '/console/models' });
    },
  });
  const formats =
    model.model_type === 'llm' ? (['zip', 'card', 'peft', 'gguf'] as const) : (['zip', 'onnx', 'card'] as const);
  const names = {
    zip: text('downloadZip'),
    onnx: text('downloadOnnx'),
    card: text('downloadCard'),
    peft: text('downloadPeft'),
    gguf: text('downloadGguf'),
  };
  return (
    <>
      {model.model_type === 'llm' && model.status === 'succeeded' && (
        <ButtonLink look="primary" icon={<MessagesSquare />} to="/console/models/chat" search={{ model: id }}>
          {text('chat')}
        </ButtonLink>
      )}
      {model.status === 'succeeded' && (
        <Menu trigger={<Button icon={<Download />}>{text('download')}</Button>}>
          {formats.map(format => (
            <MenuItem
              key={format}
              onSelect={() => location.assign(addressOf('downloadModel', { params: { id }, query: { format } }))}
            >
              {names[format]}
            </MenuItem>
          ))}
        </Menu>
      )}
      {mayChange && (
        <Button size="icon" className="size-8.5" aria-label={text('deleteModel')} onClick={() => setAsking(true)}>
          <Trash2 />
        </Button>
      )}
      <Confirm
        open={asking}
        onClose={() => setAsking(false)}
        title={text('deleteTitle')}
        description={text('deleteAbout')}
        action={text('deleteAction')}
        busy={remove.isPending}
        onConfirm={() => remove.mutate({ params: { id } }, { onError: () => setAsking(false) })}
      />
    </>
  );
}

function BackToAll() {
  const text = useModelText();
  return (
    <Link to="/console/models" className="mb-2 inline-flex items-center gap-1.5 text-sm text-muted hover:text-ink">
      <ArrowLeft aria-hidden="true" className="size-3.5" />
      {text('allModels')}
    </Link>
  );
}
