// Two models measured on the same rows.
import { useNavigate, useSearch } from '@tanstack/react-router';
import { Scale } from 'lucide-react';
import { useChange, useMay, useRoute } from '../../api/index.ts';
import { Page } from '../../layout/page.tsx';
import { ViewerNote } from '../../layout/viewer-note.tsx';
import { useFormat } from '../../messages/format.ts';
import { Badge } from '../../ui/badge.tsx';
import { Button, ButtonLink } from '../../ui/button.tsx';
import { Card } from '../../ui/card.tsx';
import { Empty, Problem } from '../../ui/empty.tsx';
import { Select } from '../../ui/select.tsx';
import { Table } from '../../ui/table.tsx';
import { metricNames, metricOf, writeMetric } from './metrics.ts';
import { useModelText } from './text.ts';

export function ComparePage() {
  const text = useModelText();
  const format = useFormat();
  const navigate = useNavigate();
  const search = useSearch({ from: '/inside/console/models/compare' });
  const { data } = useRoute('listTrainedModels');
  const { data: datasets } = useRoute('listDatasets');
  const mayCompare = useMay('member');
  const compare = useChange('compareModels', { quiet: true });
  const ready = (data?.data ?? []).filter(({ status, model_type: type }) => status === 'succeeded' && type !== 'llm');
  const rivalsOf = (model: (typeof ready)[number] | undefined) =>
    ready.filter(each => each !== model && each.model_type === model?.model_type && each.target === model.target);
  const one =
    ready.find(({ model_id: id }) => id === search.one) ?? ready.find(model => rivalsOf(model).length > 0) ?? ready[0];
  const rivals = rivalsOf(one);
  const other = rivals.find(({ model_id: id }) => id === search.other) ?? rivals[0];
  const go = (changes: typeof search) => {
    compare.reset();
    void navigate({ to: '/console/models/compare', search: { ...search, ...changes }, replace: true });
  };
  const choices = (list: typeof ready) =>
    list.map(({ model_id: id, name, target }) => ({ value: id, label: name ?? id, about: target ?? undefined }));
  const answer = compare.data;
  const [first, second] = answer?.models ?? [];
  const nameOf = (id: string | undefined) => ready.find(each => each.model_id === id)?.name ?? id;
  const rows = metricNames.flatMap(name => {
    const [a, b] = [metricOf(first?.metrics ?? null, name), metricOf(second?.metrics ?? null, name)];
    return a === null || b === null ? [] : [{ name, a, b }];
  });
  return (
    <Page title={text('compareTitle')} description={text('compareAbout')}>
      <ViewerNote />
      <Card>
        <div className="grid items-end gap-4 sm:grid-cols-2 lg:grid-cols-[1fr_1fr_1fr_auto]">
          <Select
            label={text('one')}
            value={one?.model_id ?? ''}
            onChange={id => go({ one: id })}
            choices={choices(ready)}
          />
          <Select
            label={text('other')}
            value={other?.model_id ?? ''}
            onChange={id => go({ other: id })}
            choices={choices(rivals)}
            disabled={rivals.length === 0}
          />
          <Select
            label={text('on')}
            value={search.dataset ?? ''}
            onChange={dataset => go({ dataset })}
            choices={[
              { value: '', label: text('heldOut') },
              ...(datasets?.data ?? []).map(each => ({ value: each.dataset_id, label: each.name ?? each.dataset_id })),
            ]}
          />
          <Button
            look="primary"
            className="h-9"
            icon={<Scale />}
            busy={compare.isPending}
            disabled={!one || !other || !mayCompare}
            onClick={() =>
              one &&
              other &&
              compare.mutate({
                body: { models: [one.model_id, other.model_id], ...(search.dataset && { dataset_id: search.dataset }) },
              })
            }
          >
            {text('compareRun')}
          </Button>
        </div>
      </Card>
      {compare.error && <Problem error={compare.error} />}
      {data && !other && (
        <Card flush>
          <Empty
            icon={<Scale />}
            title={text('needTwo')}
            action={mayCompare && <ButtonLink to="/console/models/train">{text('train')}</ButtonLink>}
          />
        </Card>
      )}
      {answer && (
        <Card flush title={answer.target} description={text('measuredRows', { count: answer.rows })}>
          <Table
            label={text('compareTitle')}
            rows={rows}
            rowId={row => row.name}
            columns={[
              { id: 'metric', title: text('metric'), cell: row => text(row.name) },
              ...([first, second] as const).map((model, index) => ({
                id: model?.model_id ?? String(index),
                title: nameOf(model?.model_id),
                align: 'end' as const,
                cell: (row: (typeof rows)[number]) => (
                  <span className="inline-flex items-center gap-2">
                    {model?.better.includes(row.name) && <Badge tone="good">{text('better')}</Badge>}
                    <span className="tabular-nums">{writeMetric(row.name, index === 0 ? row.a : row.b, format)}</span>
                  </span>
                ),
              })),
            ]}
          />
          {answer.agreement && (
            <p className="border-t border-line px-5 py-3 text-sm text-muted">
              {text('agreement', {
                both: answer.agreement.both_right,
                first: answer.agreement.only_first_right,
                second: answer.agreement.only_second_right,
              })}
            </p>
          )}
        </Card>
      )}
    </Page>
  );
}
