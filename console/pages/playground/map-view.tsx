// Many texts as points on a plane: typed ones, or the rows of a dataset that has vectors.
import { Map as MapIcon, X } from 'lucide-react';
import { useEffect, useMemo, useRef, useState } from 'react';
import { call, useMay, useRoute, useSession } from '../../api/index.ts';
import { useFormat } from '../../messages/format.ts';
import { Button } from '../../ui/button.tsx';
import { Card } from '../../ui/card.tsx';
import { Empty, Problem } from '../../ui/empty.tsx';
import { TextArea } from '../../ui/field.tsx';
import { Progress } from '../../ui/progress.tsx';
import { Segments, Select } from '../../ui/select.tsx';
import { type BatchProgress, vectorsOf } from './batches.ts';
import { headlines } from './sample-texts.ts';
import { Scatter, type ScatterPoint } from './scatter.tsx';
import { type Settings, SettingsForm, requestSettings, useEncoders } from './settings.tsx';
import { usePlaygroundText } from './text.ts';
import { type Plane, principalPlane } from './vectors.ts';

interface ViewProps {
  settings: Settings;
  onSettings: (settings: Settings) => void;
}

interface Item {
  text: string;
  group: string;
}

interface Drawn {
  items: readonly Item[];
  plane: Plane;
  /** Another for each drawing, which begins with all in view. */
  id: string;
}

/** Rows of a dataset that become points, and how many are fetched at once. */
const [mostRows, rowsAtOnce] = [1000, 200];

export function MapView({ settings, onSettings }: ViewProps) {
  const text = usePlaygroundText();
  const { accounts, account_id: account } = useSession();
  const mayTry = useMay('member');
  const [source, setSource] = useState<'texts' | 'dataset'>('texts');
  const [written, setWritten] = useState(() => headlines.join('\n'));
  const [table, setTable] = useState<TableChoice | null>(null);
  const [drawn, setDrawn] = useState<Drawn | null>(null);
  const [problem, setProblem] = useState<Error | null>(null);
  const [progress, setProgress] = useState<(BatchProgress & { all: number }) | null>(null);
  const running = useRef<AbortController | null>(null);
  const { current } = useEncoders(settings.model);
  useEffect(() => () => running.current?.abort(), []);

  const items = useMemo(() => readLines(written), [written]);
  const plan = accounts.find(({ id }) => id === account)?.plan;

  const draw = async () => {
    running.current?.abort();
    const { signal } = (running.current = new AbortController());
    setProblem(null);
    try {
      const { model, input_type: inputType } = requestSettings(settings, current?.alias);
      const of =
        source === 'dataset' && table
          ? await rowsOf(table, { signal, onProgress: setProgress })
          : {
              items,
              vectors: await vectorsOf(
                items.map(each => each.text),
                {
                  plan,
                  settings: { ...(model !== undefined && { model }), ...(inputType && { input_type: inputType }) },
                  signal,
                  onProgress: each => setProgress({ ...each, all: items.length }),
                },
              ),
            };
      const plane = await principalPlane(of.vectors);
      if (!signal.aborted) setDrawn({ items: of.items, plane, id: crypto.randomUUID() });
    } catch (thrown) {
      if (!signal.aborted) setProblem(thrown instanceof Error ? thrown : new Error(String(thrown)));
    } finally {
      if (!signal.aborted) setProgress(null);
    }
  };
  const stop = () => {
    running.current?.abort();
    setProgress(null);
  };
  const ready = source === 'texts' ? items.length >= 3 : table !== null;

  return (
    <div className="grid items-start gap-6 lg:grid-cols-[minmax(0,1fr)_19rem]">
      <div className="flex min-w-0 flex-col gap-6">
        {problem && <Problem error={problem} />}
        {drawn ? (
          <Result key={drawn.id} {...drawn} />
        ) : (
          <Card flush>
            <Empty icon={<MapIcon />} title={text('emptyMapTitle')}>
              {text('emptyMap')}
            </Empty>
          </Card>
        )}
      </div>
      <div className="-order-1 flex min-w-0 flex-col gap-6 lg:order-0">
        <Card title={text('mapFrom')}>
          <div className="flex flex-col gap-4">
            <Segments
              label={text('mapFrom')}
              value={source}
              onChange={setSource}
              choices={[
                { value: 'texts', label: text('texts') },
                { value: 'dataset', label: text('dataset') },
              ]}
            />
            {source === 'texts' ? (
              <TextArea
                label={text('mapTexts')}
                rows={9}
                value={written}
                onChange={event => setWritten(event.target.value)}
                hint={text('mapTextsHint')}
                wrap="off"
              />
            ) : (
              <TableForm value={table} onChange={setTable} />
            )}
            {progress ? (
              <div className="flex flex-col gap-2">
                <Progress value={progress.done / Math.max(1, progress.all)} label={text('draw')} />
                <div className="flex items-center justify-between text-sm text-muted" role="status">
                  {progress.waitingSeconds === null
                    ? text('mapProgress', { done: progress.done, all: progress.all })
                    : text('mapWaiting', { seconds: progress.waitingSeconds })}
                  <Button size="small" look="quiet" icon={<X />} onClick={stop}>
                    {text('stop')}
                  </Button>
                </div>
              </div>
            ) : (
              <Button look="primary" icon={<MapIcon />} disabled={!mayTry || !ready} onClick={() => void draw()}>
                {text('draw')}
              </Button>
            )}
          </div>
        </Card>
        {source === 'texts' && (
          <Card title={text('settings')}>
            <SettingsForm settings={settings} onChange={onSettings} />
          </Card>
        )}
      </div>
    </div>
  );
}

function Result({ items, plane }: Drawn) {
  const text = usePlaygroundText();
  const format = useFormat();
  const points = useMemo(
    () =>
      plane.points.map(({ x, y }, index): ScatterPoint => ({
        x,
        y,
        label: items[index]?.text ?? '',
        group: items[index]?.group ?? '',
      })),
    [items, plane],
  );
  return (
    <Card
      title={text('mapTitle', { count: points.length })}
      description={text('mapAbout', {
        x: format.percent(plane.explained[0], 1),
        y: format.percent(plane.explained[1], 1),
      })}
    >
      <Scatter points={points} />
      <details className="mt-4 text-sm">
        <summary className="font-medium text-muted">{text('mapList')}</summary>
        <ul className="mt-2 flex max-h-72 flex-col gap-1 overflow-y-auto" tabIndex={0} aria-label={text('mapList')}>
          {points.slice(0, 200).map((point, index) => (
            // oxlint-disable-next-line react/no-array-index-key
            <li key={index} className="flex gap-3">
              <span className="w-24 shrink-0 text-right text-muted tabular-nums">
                {format.decimal(point.x, 2)}, {format.decimal(point.y, 2)}
              </span>
              <span className="min-w-0 truncate">{point.label}</span>
            </li>
          ))}
        </ul>
      </details>
    </Card>
  );
}

interface TableChoice {
  datasetId: string;
  rows: number;
  vector: string;
  label: string;
  colour: string | null;
}

function TableForm({ value, onChange }: { value: TableChoice | null; onChange: (choice: TableChoice | null) => void }) {
  const text = usePlaygroundText();
  const { data } = useRoute('listDatasets');
  const datasets = (data?.data ?? []).filter(({ columns }) => columns.some(isVector));
  const [first] = datasets;
  useEffect(() => {
    if (!value && first) onChange(firstChoice(first));
  }, [value, first, onChange]);
  const dataset = datasets.find(({ dataset_id: id }) => id === value?.datasetId);
  if (!dataset || !value) return <p className="text-muted">{text('noVectorDatasets')}</p>;
  const names = dataset.columns.filter(column => !isVector(column)).map(({ name }) => ({ value: name, label: name }));
  return (
    <>
      <Select
        label={text('dataset')}
        value={value.datasetId}
        onChange={id => {
          const chosen = datasets.find(each => each.dataset_id === id);
          if (chosen) onChange(firstChoice(chosen));
        }}
        choices={datasets.map(({ dataset_id: id, name }) => ({ value: id, label: name ?? id }))}
      />
      <Select
        label={text('vectorColumn')}
        value={value.vector}
        onChange={vector => onChange({ ...value, vector })}
        choices={dataset.columns.filter(isVector).map(({ name }) => ({ value: name, label: name }))}
      />
      <Select
        label={text('labelColumn')}
        value={value.label}
        onChange={label => onChange({ ...value, label })}
        choices={names}
      />
      <Select
        label={text('colourColumn')}
        value={value.colour ?? ''}
        onChange={colour => onChange({ ...value, colour: colour === '' ? null : colour })}
        choices={[{ value: '', label: text('noColour') }, ...names]}
        hint={dataset.rows > mostRows ? text('mapRows', { count: mostRows }) : undefined}
      />
    </>
  );
}

interface TableOf {
  dataset_id: string;
  rows: number;
  columns: { name: string; type: string }[];
}

function firstChoice({ dataset_id: datasetId, rows, columns }: TableOf): TableChoice {
  const plain = columns.filter(column => !isVector(column));
  return {
    datasetId,
    rows,
    vector: columns.find(isVector)?.name ?? '',
    label: plain.find(({ type }) => type === 'VARCHAR')?.name ?? plain[0]?.name ?? '',
    colour: null,
  };
}

function isVector({ type }: { type: string }): boolean {
  return /^(FLOAT|DOUBLE)\[\d*\]$/.test(type);
}

async function rowsOf(
  { datasetId, rows, vector, label, colour }: TableChoice,
  { signal, onProgress }: { signal: AbortSignal; onProgress: (progress: BatchProgress & { all: number }) => void },
): Promise<{ items: Item[]; vectors: Float32Array[] }> {
  const all = Math.min(rows, mostRows);
  const items: Item[] = [];
  const vectors: Float32Array[] = [];
  const columns = [...new Set([vector, label, ...(colour === null ? [] : [colour])])];
  for (let offset = 0; offset < all;) {
    onProgress({ done: offset, all, waitingSeconds: null });
    const query = { offset, limit: Math.min(rowsAtOnce, all - offset), columns };
    const { data } = await call('getRows', { params: { id: datasetId }, query }, { signal });
    if (data.length === 0) break;
    offset += data.length;
    for (const row of data) {
      const numbers: unknown = row[vector];
      if (!Array.isArray(numbers)) continue;
      vectors.push(Float32Array.from(numbers, Number));
      items.push({ text: asText(row[label]), group: colour === null ? '' : asText(row[colour]) });
    }
  }
  return { items, vectors };
}

function asText(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value ?? null);
}

/** A line is a text; what stands before a tab is its group. */
function readLines(lines: string): Item[] {
  return lines.split('\n').flatMap(line => {
    const [first = '', ...rest] = line.split('\t');
    const item =
      rest.length > 0 ? { group: first.trim(), text: rest.join('\t').trim() } : { group: '', text: first.trim() };
    return item.text === '' ? [] : [item];
  });
}
