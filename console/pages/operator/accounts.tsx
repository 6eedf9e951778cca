// The accounts of the server: found, looked at, moved to another plan, given credit.
import { Search, UserPlus } from 'lucide-react';
import { useState } from 'react';
import { type Answer, useRoute } from '../../api/index.ts';
import { useCommonText } from '../../messages/common.ts';
import { useFormat } from '../../messages/format.ts';
import { Badge } from '../../ui/badge.tsx';
import { Button } from '../../ui/button.tsx';
import { Card } from '../../ui/card.tsx';
import { Empty, Problem, Skeleton } from '../../ui/empty.tsx';
import { TextField } from '../../ui/field.tsx';
import { type Column, Table } from '../../ui/table.tsx';
import { AccountDialog } from './account.tsx';
import { InviteToSignUp } from './invite.tsx';
import { useOperatorText } from './text.ts';

type AccountRow = Answer<'searchAccounts'>['data'][number];

const pageRows = 50;

export function Accounts() {
  const common = useCommonText();
  const text = useOperatorText();
  const format = useFormat();
  const [search, setSearch] = useState('');
  const [limit, setLimit] = useState(pageRows);
  const [open, setOpen] = useState<string | null>(null);
  const [inviting, setInviting] = useState(false);
  const query = { limit, ...(search.trim() !== '' && { search: search.trim() }) };
  const { data, error, refetch, isFetching } = useRoute('searchAccounts', { query }, { keep: true });
  const columns: Column<AccountRow>[] = [
    {
      id: 'name',
      title: text('name'),
      cell: account => (
        <button
          type="button"
          onClick={() => setOpen(account.id)}
          className="block max-w-64 py-2 text-left hover:text-accent"
        >
          <span className="block truncate font-medium">{account.name}</span>
          <span className="block truncate text-xs text-muted">{account.email}</span>
        </button>
      ),
    },
    { id: 'plan', title: text('plan'), cell: account => <Badge>{account.plan}</Badge> },
    {
      id: 'balance',
      title: text('balance'),
      align: 'end',
      className: 'whitespace-nowrap',
      cell: account =>
        account.balance_usd === null ? (
          <span className="text-faint">{text('notBilled')}</span>
        ) : (
          format.money(account.balance_usd)
        ),
    },
    { id: 'spent', title: text('spent'), align: 'end', cell: account => format.money(account.spent_usd) },
    { id: 'members', title: text('members'), align: 'end', cell: account => format.number(account.members) },
    { id: 'keys', title: text('keys'), align: 'end', cell: account => format.number(account.keys) },
    {
      id: 'storage',
      title: text('storage'),
      align: 'end',
      className: 'whitespace-nowrap',
      cell: account => format.bytes(account.storage_bytes),
    },
    {
      id: 'used',
      title: text('lastUsed'),
      align: 'end',
      className: 'whitespace-nowrap text-muted',
      cell: account => (account.last_used_at ? format.ago(account.last_used_at) : common('never')),
    },
  ];
  return (
    <div className="flex flex-col gap-4">
      <div className="flex flex-wrap items-center justify-between gap-3">
        <TextField
          label={text('search')}
          hideLabel
          type="search"
          placeholder={text('searchHint')}
          className="w-72"
          value={search}
          onChange={event => setSearch(event.target.value)}
        />
        <Button icon={<UserPlus />} onClick={() => setInviting(true)}>
          {text('invite')}
        </Button>
      </div>
      {error && <Problem error={error} retry={refetch} />}
      <Card flush>
        {!data ? (
          <Skeleton lines={6} />
        ) : data.data.length === 0 ? (
          <Empty icon={<Search />} title={text('accountsEmpty')} />
        ) : (
          <Table
            label={text('tabAccounts')}
            columns={columns}
            rows={data.data}
            rowId={account => account.id}
            onRow={account => setOpen(account.id)}
          />
        )}
      </Card>
      {data?.has_more && limit < 1000 && (
        <Button className="self-center" busy={isFetching} onClick={() => setLimit(Math.min(1000, limit * 2))}>
          {common('more')}
        </Button>
      )}
      {open && <AccountDialog id={open} onClose={() => setOpen(null)} />}
      {inviting && <InviteToSignUp onClose={() => setInviting(false)} />}
    </div>
  );
}
