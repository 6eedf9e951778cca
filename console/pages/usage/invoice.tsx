// One month's invoice, made for printing.
import { Link, useParams } from '@tanstack/react-router';
import { ArrowLeft, Printer } from 'lucide-react';
import type { ReactNode } from 'react';
import { useRoute } from '../../api/index.ts';
import { useModelNames } from '../../api/names.ts';
import { Page } from '../../layout/page.tsx';
import { useFormat } from '../../messages/format.ts';
import { Badge } from '../../ui/badge.tsx';
import { Button } from '../../ui/button.tsx';
import { Card, Facts } from '../../ui/card.tsx';
import { Problem, Skeleton } from '../../ui/empty.tsx';
import { Table } from '../../ui/table.tsx';
import { useMonthName } from './invoices.tsx';
import { useUsageText } from './text.ts';

export function InvoicePage() {
  const { month } = useParams({ from: '/inside/console/usage/invoices/$month' });
  const text = useUsageText();
  const format = useFormat();
  const monthName = useMonthName();
  const modelName = useModelNames();
  const { data: invoice, error, refetch } = useRoute('getInvoice', { params: { month } });
  return (
    <Page
      title={`${text('invoice')} ${invoice?.number ?? ''}`}
      description={invoice && `${monthName(month)} · ${text('issued', { date: format.date(invoice.issued_on) })}`}
      above={
        <Link
          to="/console/usage"
          className="no-print mb-2 inline-flex items-center gap-1.5 text-sm text-muted hover:text-ink"
        >
          <ArrowLeft className="size-3.5" aria-hidden="true" />
          {text('back')}
        </Link>
      }
      actions={
        <span className="no-print flex flex-wrap items-center gap-2">
          {invoice && !invoice.final && <Badge tone="warn">{text('open')}</Badge>}
          <Button icon={<Printer />} onClick={() => print()}>
            {text('print')}
          </Button>
        </span>
      }
    >
      {error && <Problem error={error} retry={refetch} />}
      {!invoice && !error && <Skeleton lines={8} />}
      {invoice && (
        <Card>
          <div className="grid gap-8 sm:grid-cols-2">
            <Address title={text('seller')}>{invoice.seller.join('\n')}</Address>
            <Address title={text('billedTo')}>
              {[
                invoice.buyer.name,
                invoice.buyer.address,
                invoice.buyer.tax_id && text('taxId', { id: invoice.buyer.tax_id }),
                invoice.buyer.email,
              ]
                .filter(Boolean)
                .join('\n')}
            </Address>
          </div>
          <div className="-mx-5 my-8 border-y border-line">
            <Table
              label={text('invoice')}
              rows={invoice.lines}
              rowId={line => line.model}
              columns={[
                { id: 'model', title: text('model'), cell: line => modelName(line.model) },
                { id: 'requests', title: text('requests'), align: 'end', cell: line => format.number(line.requests) },
                { id: 'tokens', title: text('tokens'), align: 'end', cell: line => format.number(line.tokens) },
                { id: 'cost', title: text('cost'), align: 'end', cell: line => format.money(line.cost_usd) },
              ]}
            />
          </div>
          <div className="ml-auto max-w-sm">
            <Facts
              facts={[
                [text('openingBalance'), <Amount key="opening">{format.money(invoice.opening_balance_usd)}</Amount>],
                [text('credits'), <Amount key="credits">{format.money(invoice.credits_usd)}</Amount>],
                ...invoice.payments.map(
                  payment =>
                    [
                      `${text('payment')} ${format.date(payment.at)}`,
                      <Amount key={payment.at}>{format.money(payment.amount_usd)}</Amount>,
                    ] as const,
                ),
                [text('total'), <Amount key="total">{format.money(invoice.spent_usd)}</Amount>],
                [
                  text('closingBalance'),
                  <Amount key="closing">
                    <strong className="font-semibold">{format.money(invoice.closing_balance_usd)}</strong>
                  </Amount>,
                ],
              ]}
            />
          </div>
        </Card>
      )}
    </Page>
  );
}

function Address({ title, children }: { title: string; children: string }) {
  return (
    <div>
      <h2 className="text-sm text-muted">{title}</h2>
      <p className="mt-1 whitespace-pre-line">{children}</p>
    </div>
  );
}

function Amount({ children }: { children: ReactNode }) {
  return <span className="block text-right">{children}</span>;
}
