// The months that have an invoice.
import { Link } from '@tanstack/react-router';
import { type Answer, useRoute } from '../../api/index.ts';
import { useFormat } from '../../messages/format.ts';
import { usePreferences } from '../../preferences.ts';
import { Badge } from '../../ui/badge.tsx';
import { Card } from '../../ui/card.tsx';
import { Problem, Skeleton } from '../../ui/empty.tsx';
import { type Column, Table } from '../../ui/table.tsx';
import { useUsageText } from './text.ts';

type Invoice = Answer<'listInvoices'>['data'][number];

/** "January 2026" of 2026-01. */
export function useMonthName(): (month: string) => string {
  const { language } = usePreferences();
  return month =>
    new Date(`${month}-15T12:00:00Z`).toLocaleDateString(language, { month: 'long', year: 'numeric', timeZone: 'UTC' });
}

export function InvoiceList() {
  const text = useUsageText();
  const format = useFormat();
  const monthName = useMonthName();
  const { data, error, refetch } = useRoute('listInvoices');
  const columns: Column<Invoice>[] = [
    {
      id: 'month',
      title: text('month'),
      cell: invoice => (
        <Link
          to="/console/usage/invoices/$month"
          params={{ month: invoice.month }}
          className="font-medium whitespace-nowrap hover:text-accent hover:underline"
        >
          {monthName(invoice.month)}
        </Link>
      ),
    },
    {
      id: 'number',
      title: text('invoice'),
      className: 'font-mono text-xs text-muted',
      cell: invoice => invoice.number,
    },
    { id: 'state', title: text('state'), cell: invoice => !invoice.final && <Badge>{text('open')}</Badge> },
    { id: 'spent', title: text('cost'), align: 'end', cell: invoice => format.money(invoice.spent_usd) },
    { id: 'paid', title: text('paid'), align: 'end', cell: invoice => format.money(invoice.paid_usd) },
  ];
  return (
    <Card flush title={text('invoicesTitle')} description={text('invoicesAbout')}>
      {error && (
        <div className="px-5 pb-5">
          <Problem error={error} retry={refetch} />
        </div>
      )}
      {!data && !error && <Skeleton lines={2} />}
      {data?.data.length === 0 && <p className="px-5 pb-5 text-muted">{text('invoicesEmpty')}</p>}
      {data && data.data.length > 0 && (
        <Table label={text('invoicesTitle')} columns={columns} rows={data.data} rowId={invoice => invoice.month} />
      )}
    </Card>
  );
}
