// What came and went, newest first.
import { Download } from 'lucide-react';
import { useState } from 'react';
import { type Answer, addressOf, useRoute } from '../../api/index.ts';
import { download } from '../../api/download.ts';
import { useCommonText } from '../../messages/common.ts';
import { useFormat } from '../../messages/format.ts';
import { Button } from '../../ui/button.tsx';
import { Card } from '../../ui/card.tsx';
import { classes } from '../../ui/classes.ts';
import { Problem, Skeleton } from '../../ui/empty.tsx';
import { type Column, Table } from '../../ui/table.tsx';
import { useUsageText } from './text.ts';

type Entry = Answer<'listLedger'>['data'][number];

const pageRows = 20;
const mostRows = 1000;

export function Ledger() {
  const common = useCommonText();
  const text = useUsageText();
  const format = useFormat();
  const [limit, setLimit] = useState(pageRows);
  const { data, error, refetch, isFetching } = useRoute('listLedger', { query: { limit } }, { keep: true });
  const columns: Column<Entry>[] = [
    { id: 'at', title: text('when'), className: 'whitespace-nowrap text-muted', cell: entry => format.date(entry.at) },
    { id: 'kind', title: text('what'), className: 'font-medium whitespace-nowrap', cell: entry => text(entry.kind) },
    { id: 'note', title: text('note'), className: 'text-muted', cell: entry => entry.note },
    {
      id: 'amount',
      title: text('amount'),
      align: 'end',
      cell: entry => (
        <span className={classes('whitespace-nowrap', entry.amount_usd > 0 && 'text-good')}>
          {entry.amount_usd > 0 && '+'}
          {format.money(entry.amount_usd)}
        </span>
      ),
    },
    {
      id: 'after',
      title: text('after'),
      align: 'end',
      className: 'whitespace-nowrap',
      cell: entry => format.money(entry.balance_usd),
    },
  ];
  return (
    <Card
      flush
      title={text('ledgerTitle')}
      description={text('ledgerAbout')}
      actions={
        <Button
          size="small"
          icon={<Download />}
          onClick={() => void download(addressOf('listLedger', { query: { format: 'csv' } }), 'ledger.csv')}
        >
          {text('csv')}
        </Button>
      }
    >
      {error && (
        <div className="px-5 pb-5">
          <Problem error={error} retry={refetch} />
        </div>
      )}
      {!data && !error && <Skeleton />}
      {data?.data.length === 0 && <p className="px-5 pb-5 text-muted">{text('ledgerEmpty')}</p>}
      {data && data.data.length > 0 && (
        <Table label={text('ledgerTitle')} columns={columns} rows={data.data} rowId={entry => entry.id} />
      )}
      {data?.has_more && limit < mostRows && (
        <div className="flex justify-center border-t border-line p-3">
          <Button size="small" busy={isFetching} onClick={() => setLimit(Math.min(mostRows, limit * 3))}>
            {common('more')}
          </Button>
        </div>
      )}
    </Card>
  );
}
