// The form of a training: what the data suggests is filled in, and everything can be said otherwise.
import { useNavigate, useSearch } from '@tanstack/react-router';
import { BrainCircuit, Table2 } from 'lucide-react';
import { type FormEvent, type ReactNode, useMemo, useState } from 'react';
import { type Answer, ApiProblem, type Input, useChange, useMay, useRoute } from '../../api/index.ts';
import { Page } from '../../layout/page.tsx';
import { ViewerNote } from '../../layout/viewer-note.tsx';
import { useCommonText } from '../../messages/common.ts';
import { CodeSamples } from '../../samples/code-samples.tsx';
import { Button, ButtonLink } from '../../ui/button.tsx';
import { Card } from '../../ui/card.tsx';
import { Checkbox } from '../../ui/checkbox.tsx';
import { classes } from '../../ui/classes.ts';
import { Empty, Problem, Skeleton } from '../../ui/empty.tsx';
import { TextField } from '../../ui/field.tsx';
import { Segments, Select } from '../../ui/select.tsx';
import { useBaseModels } from './base-models.ts';
import { useModelText } from './text.ts';
import {
  type ColumnFacts,
  type ModelType,
  featureObjection,
  kindFor,
  targetObjection,
  trainDefaults,
} from './train-defaults.ts';

type Body = NonNullable<Input<'trainModel'>['body']>;
type Config = NonNullable<Body['config']>;
type Dataset = Answer<'getDataset'>;

export function TrainPage() {
  const text = useModelText();
  const { dataset: asked } = useSearch({ from: '/inside/console/models/train' });
  const navigate = useNavigate();
  const { data: list, error: listError } = useRoute('listDatasets');
  const reference = asked ?? list?.data[0]?.dataset_id;
  const { data: dataset, error } = useRoute(
    'getDataset',
    { params: { id: reference ?? '' } },
    { enabled: reference !== undefined },
  );
  const { data: profile } = useRoute(
    'getProfile',
    { params: { id: reference ?? '' } },
    { enabled: dataset !== undefined },
  );
  const id = dataset?.dataset_id ?? '';
  const choices = (list?.data ?? []).map(each => ({ value: each.dataset_id, label: each.name ?? each.dataset_id }));
  const problem = error ?? listError;
  return (
    <Page title={text('trainTitle')} description={text('trainAbout')}>
      <ViewerNote />
      {problem && <Problem error={problem} />}
      {list && list.data.length === 0 && !asked ? (
        <Card flush>
          <Empty
            icon={<Table2 />}
            title={text('emptyNoData')}
            action={
              <ButtonLink to="/console/datasets" look="primary">
                {text('toDatasets')}
              </ButtonLink>
            }
          />
        </Card>
      ) : dataset ? (
        <Form
          key={`${id}@${dataset.version}${profile ? '' : ' without profile'}`}
          dataset={dataset}
          profile={profile ?? null}
          chooser={
            <Select
              label={text('dataset')}
              value={id}
              onChange={chosen =>
                void navigate({ to: '/console/models/train', search: { dataset: chosen }, replace: true })
              }
              choices={
                choices.some(({ value }) => value === id)
                  ? choices
                  : [{ value: id, label: dataset.name ?? id }, ...choices]
              }
              hint={`${text('version', { number: dataset.version })} · ${text('rowCount', { count: dataset.rows })}`}
            />
          }
        />
      ) : (
        !problem && <Skeleton lines={8} />
      )}
    </Page>
  );
}

interface Settings {
  algorithm: string;
  baseModel: string;
  maxLength: string;
  epochs: string;
  batchSize: string;
  learningRate: string;
  validationSplit: string;
  seed: string;
  maxSeconds: string;
  earlyStopping: boolean;
}

const undecided: Settings = {
  algorithm: '',
  baseModel: '',
  maxLength: '',
  epochs: '',
  batchSize: '',
  learningRate: '',
  validationSplit: '',
  seed: '',
  maxSeconds: '',
  earlyStopping: true,
};

function Form({
  dataset,
  profile,
  chooser,
}: {
  dataset: Dataset;
  profile: Answer<'getProfile'> | null;
  chooser: ReactNode;
}) {
  const text = useModelText();
  const common = useCommonText();
  const navigate = useNavigate();
  const columns = useMemo(
    () =>
      dataset.columns.map(({ name, type }): ColumnFacts => {
        const own = profile?.columns.find(each => each.name === name);
        return { name, type, count: own?.count ?? null, distinct: own?.distinct ?? null };
      }),
    [dataset, profile],
  );
  const defaults = useMemo(() => trainDefaults(columns), [columns]);
  const [target, setTarget] = useState(defaults.target);
  const [modelType, setModelType] = useState<ModelType>(defaults.modelType);
  const [features, setFeatures] = useState<readonly string[] | null>(null);
  const [name, setName] = useState('');
  const [settings, setSettings] = useState(undecided);
  const bases = useBaseModels();
  const mayTrain = useMay('member');
  const set = (changes: Partial<Settings>) => setSettings({ ...settings, ...changes });

  const chosen = columns.find(column => column.name === target);
  const objection = modelType !== 'llm' && chosen ? targetObjection(chosen, modelType) : null;
  const usual = columns
    .filter(column => column.name !== target && featureObjection(column) === null)
    .map(column => column.name);
  const suggested = [dataset.name, target].filter(Boolean).join(': ').slice(0, 200) || text(modelType);
  const body: Body = {
    dataset_id: `${dataset.dataset_id}@${dataset.version}`,
    model_type: modelType,
    name: name.trim() || suggested,
    config: configOf({ target, modelType, features, settings }),
  };
  const train = useChange('trainModel', {
    quiet: true,
    refresh: ['listTrainedModels', 'listJobs'],
    onDone: ({ model_id: id }) => void navigate({ to: '/console/models/$id', params: { id } }),
  });
  const param = train.error instanceof ApiProblem ? (train.error.param ?? train.error.faults[0]?.path ?? '') : '';
  const faultOf = (field: string) => (param.startsWith(`config.${field}`) ? train.error?.message : null);
  const submit = (event: FormEvent) => {
    event.preventDefault();
    train.mutate({ body });
  };
  const number = (
    field: keyof Settings,
    { label, placeholder = text('automatic'), path }: { label: string; placeholder?: string; path: string },
  ) => (
    <TextField
      label={label}
      type="number"
      step="any"
      inputMode="decimal"
      placeholder={placeholder}
      value={String(settings[field])}
      onChange={event => set({ [field]: event.target.value })}
      error={faultOf(path)}
    />
  );

  return (
    <form onSubmit={submit} className="grid items-start gap-6 lg:grid-cols-[minmax(0,1fr)_22rem]">
      <div className="flex min-w-0 flex-col gap-6">
        <Card>
          <div className="grid gap-5 sm:grid-cols-2">
            {chooser}
            <TextField
              label={text('modelName')}
              hint={text('modelNameHint')}
              optional={common('optional')}
              placeholder={suggested}
              value={name}
              maxLength={200}
              onChange={event => setName(event.target.value)}
            />
            {modelType !== 'llm' && (
              <Select
                label={text('targetLabel')}
                value={target ?? ''}
                onChange={value => {
                  setTarget(value);
                  const column = columns.find(each => each.name === value);
                  if (column) setModelType(kindFor(column));
                }}
                choices={columns.map(column => ({
                  value: column.name,
                  label: column.name,
                  about: column.distinct === null ? undefined : text('distinct', { count: column.distinct }),
                }))}
                hint={
                  chosen?.distinct === null || !chosen
                    ? undefined
                    : modelType === 'classification'
                      ? text('classes', { count: chosen.distinct })
                      : text('distinct', { count: chosen.distinct })
                }
              />
            )}
            <div className="flex flex-col gap-1.5 sm:col-span-2">
              <span className="text-sm font-medium">{text('kind')}</span>
              <Segments
                label={text('kind')}
                value={modelType}
                onChange={setModelType}
                choices={(['classification', 'regression', 'llm'] as const).map(value => ({
                  value,
                  label: text(value),
                }))}
              />
              <span className="text-sm text-muted">
                {text(modelType === 'llm' ? 'trainLlmAbout' : `${modelType}About`)}
              </span>
            </div>
          </div>
          {objection && chosen && (
            <p role="alert" className="mt-4 rounded-md bg-warn-soft px-3 py-2 text-sm text-warn">
              {text('targetProblem', { name: chosen.name, reason: text(`objection_${objection}`) })}
            </p>
          )}
          {faultOf('target') && (
            <p role="alert" className="mt-4 text-sm text-bad">
              {faultOf('target')}
            </p>
          )}
        </Card>
        {modelType !== 'llm' && (
          <Card
            title={text('learnsFrom')}
            description={text('learnsFromAbout')}
            actions={
              features !== null && (
                <Button size="small" look="quiet" onClick={() => setFeatures(null)}>
                  {text('resetFeatures')}
                </Button>
              )
            }
          >
            <div className="flex flex-wrap gap-1.5">
              {columns
                .filter(column => column.name !== target)
                .map(column => {
                  const reason = featureObjection(column);
                  const isUsed = features ? features.includes(column.name) : reason === null;
                  return (
                    <button
                      key={column.name}
                      type="button"
                      aria-pressed={isUsed}
                      title={reason ? text(`objection_${reason}`) : undefined}
                      onClick={() => {
                        const now = features ?? usual;
                        setFeatures(isUsed ? now.filter(each => each !== column.name) : [...now, column.name]);
                      }}
                      className={classes(
                        'max-w-full truncate rounded-full border border-line-strong px-3 py-1 text-sm text-muted transition-colors hover:text-ink aria-pressed:border-accent-line aria-pressed:bg-accent-soft aria-pressed:text-accent',
                        reason && !isUsed && 'line-through',
                      )}
                    >
                      {column.name}
                    </button>
                  );
                })}
            </div>
            {faultOf('features') && (
              <p role="alert" className="mt-3 text-sm text-bad">
                {faultOf('features')}
              </p>
            )}
          </Card>
        )}
        <details
          className="rounded-xl border border-line bg-surface shadow-card"
          open={/^config\.(?!target|features)/.test(param)}
        >
          <summary className="px-5 py-3.5 font-semibold">
            {text('advanced')} <span className="ml-2 text-sm font-normal text-muted">{text('advancedAbout')}</span>
          </summary>
          <div className="grid gap-5 px-5 pb-5 sm:grid-cols-2 xl:grid-cols-3">
            {modelType === 'llm' && (
              <>
                <Select
                  label={text('baseModel')}
                  value={settings.baseModel}
                  onChange={baseModel => set({ baseModel })}
                  choices={[
                    { value: '', label: text('usualBase') },
                    ...bases,
                    { value: 'scratch', label: text('scratch'), about: text('scratchAbout') },
                  ]}
                />
                {number('maxLength', { label: text('maxLength'), placeholder: '512', path: 'max_length' })}
              </>
            )}
            {modelType !== 'llm' && (
              <Select
                label={text('algorithm')}
                value={settings.algorithm}
                onChange={algorithm => set({ algorithm })}
                choices={[
                  { value: '', label: text('automatic') },
                  { value: 'tabm', label: 'TabM' },
                  { value: 'realmlp', label: 'RealMLP' },
                  { value: 'mlp', label: 'MLP' },
                  { value: 'linear', label: 'Linear' },
                ]}
              />
            )}
            {number('epochs', { label: text('epochs'), path: 'epochs' })}
            {number('batchSize', {
              label: text(modelType === 'llm' ? 'batchSamples' : 'batchSize'),
              path: 'batch_size',
            })}
            {number('learningRate', { label: text('learningRate'), path: 'learning_rate' })}
            {number('validationSplit', {
              label: text('validationSplit'),
              placeholder: '0.15',
              path: 'validation_split',
            })}
            {number('maxSeconds', { label: text('maxSeconds'), placeholder: common('unlimited'), path: 'max_seconds' })}
            {number('seed', { label: text('seed'), placeholder: '0', path: 'seed' })}
            <div className="self-center">
              <Checkbox
                label={text('earlyStopping')}
                checked={settings.earlyStopping}
                onChange={earlyStopping => set({ earlyStopping })}
              />
            </div>
          </div>
        </details>
        {train.error && <Problem error={train.error} />}
        <div>
          <Button
            look="primary"
            type="submit"
            icon={<BrainCircuit />}
            busy={train.isPending}
            disabled={!mayTrain || objection !== null || (target === null && modelType !== 'llm')}
          >
            {text('startTraining')}
          </Button>
        </div>
      </div>
      <Card title={text('code')} className="lg:sticky lg:top-20">
        <CodeSamples request={{ method: 'POST', path: '/api/v2/models/train', body }} />
      </Card>
    </form>
  );
}

interface Wanted {
  target: string | null;
  modelType: ModelType;
  features: readonly string[] | null;
  settings: Settings;
}

function configOf({ target, modelType, features, settings }: Wanted): Config {
  const all = {
    ...(modelType !== 'llm' && {
      target: target ?? undefined,
      features: features ? [...features] : undefined,
      algorithm: settings.algorithm || undefined,
    }),
    ...(modelType === 'llm' && {
      base_model: settings.baseModel || undefined,
      max_length: numberIn(settings.maxLength),
    }),
    epochs: numberIn(settings.epochs),
    batch_size: numberIn(settings.batchSize),
    learning_rate: numberIn(settings.learningRate),
    validation_split: numberIn(settings.validationSplit),
    max_seconds: numberIn(settings.maxSeconds),
    seed: numberIn(settings.seed),
    early_stopping: settings.earlyStopping ? undefined : false,
  };
  return Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined)) as Config;
}

function numberIn(written: string): number | undefined {
  return written.trim() === '' ? undefined : Number(written.replace(',', '.'));
}
