// Several texts and how alike each is to each other.
import { Grid2x2, Plus, Trash2 } from 'lucide-react';
import { type KeyboardEvent, useMemo, useState } from 'react';
import { useChange, useMay } from '../../api/index.ts';
import { useFormat } from '../../messages/format.ts';
import { CodeSamples } from '../../samples/code-samples.tsx';
import { Button } from '../../ui/button.tsx';
import { Card } from '../../ui/card.tsx';
import { Empty, Problem } from '../../ui/empty.tsx';
import { controlClasses } from '../../ui/field.tsx';
import { classes } from '../../ui/classes.ts';
import { sentences } from './sample-texts.ts';
import { type Settings, SettingsForm, requestSettings, useEncoders } from './settings.tsx';
import { usePlaygroundText } from './text.ts';
import { cosineMatrix } from './vectors.ts';

interface ViewProps {
  settings: Settings;
  onSettings: (settings: Settings) => void;
}

interface Compared {
  request: { texts: string[] };
  vectors: Float32Array[];
}

export function SimilarityView({ settings, onSettings }: ViewProps) {
  const text = usePlaygroundText();
  const [lines, setLines] = useState<readonly string[]>(sentences);
  const [compared, setCompared] = useState<Compared | null>(null);
  const { current } = useEncoders(settings.model);
  const mayTry = useMay('member');
  const run = useChange('vectorizeBatch', { quiet: true });
  const written = lines.filter(line => line.trim() !== '');

  const start = () => {
    if (written.length < 2) return;
    const {
      chunk_size: _size,
      chunk_overlap: _overlap,
      chunking_method: _method,
      ...whole
    } = requestSettings(settings, current?.alias);
    const request = { texts: written, ...whole };
    run.mutate(
      { body: request },
      {
        onSuccess: answer =>
          setCompared({
            request,
            vectors: answer.vectors.map(vector => Float32Array.from(Array.isArray(vector) ? vector : [])),
          }),
      },
    );
  };
  const onKey = (event: KeyboardEvent) => {
    if (event.key === 'Enter' && (event.ctrlKey || event.metaKey)) start();
  };

  return (
    <div className="grid items-start gap-6 lg:grid-cols-[minmax(0,1fr)_19rem]">
      <div className="flex min-w-0 flex-col gap-6">
        <Card title={text('texts')}>
          <div role="group" aria-label={text('texts')} className="flex flex-col gap-2">
            {lines.map((line, index) => (
              // A text has no name but its place.
              // oxlint-disable-next-line react/no-array-index-key
              <div key={index} className="flex items-center gap-2">
                <span aria-hidden="true" className="w-5 shrink-0 text-right text-sm text-faint">
                  {index + 1}
                </span>
                <input
                  aria-label={text('textNumber', { number: index + 1 })}
                  value={line}
                  onChange={event => setLines(lines.map((each, at) => (at === index ? event.target.value : each)))}
                  onKeyDown={onKey}
                  className={classes(controlClasses, 'h-9')}
                />
                <Button
                  size="icon"
                  look="quiet"
                  aria-label={text('removeText', { number: index + 1 })}
                  disabled={lines.length <= 2}
                  onClick={() => setLines(lines.filter((_, at) => at !== index))}
                >
                  <Trash2 />
                </Button>
              </div>
            ))}
          </div>
          <div className="mt-4 flex flex-wrap items-center justify-between gap-3">
            <Button size="small" look="quiet" icon={<Plus />} onClick={() => setLines([...lines, ''])}>
              {text('addText')}
            </Button>
            <div className="flex items-center gap-3">
              {written.length < 2 && <span className="text-sm text-muted">{text('needTwo')}</span>}
              <Button
                look="primary"
                icon={<Grid2x2 />}
                busy={run.isPending}
                disabled={!mayTry || written.length < 2}
                onClick={start}
              >
                {text('compare')}
              </Button>
            </div>
          </div>
        </Card>
        {run.error && <Problem error={run.error} />}
        {compared ? (
          <Matrix {...compared} />
        ) : (
          <Card flush>
            <Empty icon={<Grid2x2 />} title={text('emptyMatrixTitle')}>
              {text('emptyMatrix')}
            </Empty>
          </Card>
        )}
      </div>
      <Card title={text('settings')} className="lg:sticky lg:top-20">
        <SettingsForm settings={settings} onChange={onSettings} />
      </Card>
    </div>
  );
}

function Matrix({ request, vectors }: Compared) {
  const text = usePlaygroundText();
  const format = useFormat();
  const matrix = useMemo(() => cosineMatrix(vectors), [vectors]);
  const others = matrix.flatMap((row, index) => row.filter((_, column) => column !== index));
  const [least, most] = [Math.min(...others), Math.max(...others)];
  const best = matrix
    .flatMap((row, one) => row.map((value, other) => ({ one, other, value })))
    .filter(({ one, other }) => one < other);
  const closest = best.reduce(
    (found, each) => (each.value > found.value ? each : found),
    best[0] ?? { one: 0, other: 0, value: 0 },
  );
  return (
    <>
      <Card title={text('matrix')} description={text('matrixAbout')}>
        <p className="mb-4 font-medium">
          {text('closest', { one: closest.one + 1, other: closest.other + 1, value: format.decimal(closest.value, 3) })}
        </p>
        <div className="overflow-x-auto" tabIndex={0} role="region" aria-label={text('matrix')}>
          <table className="border-separate border-spacing-1 text-sm">
            <thead>
              <tr>
                <td aria-hidden="true" />
                {request.texts.map((_, column) => (
                  // oxlint-disable-next-line react/no-array-index-key
                  <th key={column} scope="col" className="pb-1 text-center font-medium text-muted">
                    {column + 1}
                  </th>
                ))}
              </tr>
            </thead>
            <tbody>
              {matrix.map((row, index) => (
                // oxlint-disable-next-line react/no-array-index-key
                <tr key={index}>
                  <th
                    scope="row"
                    className="max-w-40 truncate pr-3 text-left font-normal sm:max-w-72"
                    title={request.texts[index]}
                  >
                    <span className="mr-2 text-faint">{index + 1}</span>
                    {request.texts[index]}
                  </th>
                  {row.map((value, column) => (
                    <td
                      // oxlint-disable-next-line react/no-array-index-key
                      key={column}
                      style={{ background: shade(value, { least, most, self: index === column }) }}
                      className="h-10 w-14 min-w-14 rounded-md text-center tabular-nums"
                    >
                      {format.decimal(value, 2)}
                    </td>
                  ))}
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      </Card>
      <Card title={text('code')} description={text('codeAbout')}>
        <CodeSamples request={{ method: 'POST', path: '/vectorize/batch', body: request }} />
      </Card>
    </>
  );
}

/** The more alike, the stronger, between the least and the most alike pair; a text beside itself is not shown off. */
function shade(value: number, { least, most, self }: { least: number; most: number; self: boolean }): string {
  if (self) return 'var(--color-sunken)';
  const share = most > least ? (value - least) / (most - least) : 1;
  return `color-mix(in oklab, var(--color-plot-1) ${Math.round(6 + share * 44)}%, var(--color-surface))`;
}
