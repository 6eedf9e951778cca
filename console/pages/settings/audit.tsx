// Who changed what in the account.
import { useState } from 'react';
import { type Answer, useRoute } from '../../api/index.ts';
import { useCommonText } from '../../messages/common.ts';
import en from '../../messages/en/settings.ts';
import { useFormat } from '../../messages/format.ts';
import { Button } from '../../ui/button.tsx';
import { Card } from '../../ui/card.tsx';
import { Problem, Skeleton } from '../../ui/empty.tsx';
import { Table } from '../../ui/table.tsx';
import { useSettingsText } from './text.ts';

export type AuditEntry = Answer<'listAudit'>['data'][number];

const pageRows = 50;
const mostRows = 1000;

export function Audit() {
  const common = useCommonText();
  const text = useSettingsText();
  const [limit, setLimit] = useState(pageRows);
  const { data, error, refetch, isFetching } = useRoute('listAudit', { query: { limit } }, { keep: true });
  if (error) return <Problem error={error} retry={refetch} />;
  return (
    <Card flush title={text('tabAudit')} description={text('auditAbout')}>
      {data ? <AuditTable entries={data.data} /> : <Skeleton />}
      {data?.has_more && limit < mostRows && (
        <div className="flex justify-center border-t border-line p-3">
          <Button size="small" busy={isFetching} onClick={() => setLimit(Math.min(mostRows, limit * 2))}>
            {common('more')}
          </Button>
        </div>
      )}
    </Card>
  );
}

export function AuditTable({ entries }: { entries: readonly AuditEntry[] }) {
  const text = useSettingsText();
  const format = useFormat();
  const actionName = useActionName();
  if (entries.length === 0) return <p className="px-5 pb-5 text-muted">{text('auditEmpty')}</p>;
  return (
    <Table
      label={text('tabAudit')}
      rows={entries}
      rowId={entry => entry.id}
      columns={[
        {
          id: 'at',
          title: text('when'),
          className: 'whitespace-nowrap text-muted',
          cell: entry => <time dateTime={entry.at}>{format.time(entry.at)}</time>,
        },
        { id: 'who', title: text('who'), cell: entry => entry.person?.name ?? text('server') },
        {
          id: 'action',
          title: text('action'),
          className: 'whitespace-nowrap',
          cell: entry => actionName(entry.action),
        },
        {
          id: 'target',
          title: text('target'),
          className: 'font-mono text-xs whitespace-nowrap text-muted',
          cell: entry => entry.target,
        },
      ]}
    />
  );
}

/** An action in words; one that the console doesn't know as the log has it. */
function useActionName(): (action: string) => string {
  const text = useSettingsText();
  return action => {
    const key = `did_${action.replace('.', '_')}`;
    return isAction(key) ? text(key) : action;
  };
}

type ActionKey = Extract<keyof typeof en, `did_${string}`>;

function isAction(key: string): key is ActionKey {
  return Object.hasOwn(en, key);
}
