// The account's API keys.
import { KeyRound, MoreHorizontal, Pencil, Plus, RotateCw, Trash2 } from 'lucide-react';
import { useState } from 'react';
import { type Answer, useChange, useMay, useRoute, useSession } from '../../api/index.ts';
import { Page } from '../../layout/page.tsx';
import { useCommonText } from '../../messages/common.ts';
import { useFormat } from '../../messages/format.ts';
import { Badge } from '../../ui/badge.tsx';
import { Button } from '../../ui/button.tsx';
import { Card } from '../../ui/card.tsx';
import { Confirm } from '../../ui/dialog.tsx';
import { Empty, Problem, Skeleton } from '../../ui/empty.tsx';
import { Menu, MenuItem } from '../../ui/menu.tsx';
import { Progress } from '../../ui/progress.tsx';
import { type Column, Table } from '../../ui/table.tsx';
import { toast } from '../../ui/toast.tsx';
import { ChangeKey } from './change.tsx';
import { MakeKey } from './make.tsx';
import { RotateKey } from './rotate.tsx';
import { type MadeKey, ShowSecret } from './secret.tsx';
import { useKeysText } from './text.ts';

export type Key = Answer<'listOwnKeys'>['data'][number];
type Open = { what: 'make' } | { what: 'secret'; made: MadeKey } | { what: 'change' | 'rotate' | 'revoke'; key: Key };

export function KeysPage() {
  const common = useCommonText();
  const text = useKeysText();
  const mayMake = useMay('member');
  const [open, setOpen] = useState<Open | null>(null);
  const [withEnded, setWithEnded] = useState(false);
  const { data, error, refetch } = useRoute('listOwnKeys');
  const close = () => setOpen(null);
  const show = (made: MadeKey) => setOpen({ what: 'secret', made });
  const revoke = useChange('revokeOwnKey', {
    refresh: ['listOwnKeys'],
    onDone: ({ name }) => {
      close();
      toast(text('revokedToast', { name }));
    },
  });
  const make = (
    <Button look="primary" icon={<Plus />} onClick={() => setOpen({ what: 'make' })}>
      {text('make')}
    </Button>
  );
  const keys = data?.data.filter(key => withEnded || key.state === 'active') ?? [];
  const ended = data ? data.data.length - data.active : 0;
  return (
    <Page title={common('keys')} description={text('about')} actions={mayMake && make}>
      {error && <Problem error={error} retry={refetch} />}
      {!error && (
        <Card flush>
          {!data ? (
            <Skeleton />
          ) : keys.length > 0 ? (
            <KeyTable
              keys={keys}
              onChange={key => setOpen({ what: 'change', key })}
              onRotate={key => setOpen({ what: 'rotate', key })}
              onRevoke={key => setOpen({ what: 'revoke', key })}
            />
          ) : (
            <Empty icon={<KeyRound />} title={text('emptyTitle')} action={mayMake && make}>
              {text('emptyAbout')}
            </Empty>
          )}
        </Card>
      )}
      {data && (
        <div className="flex flex-wrap items-center justify-between gap-3 text-sm text-muted">
          <span>
            {data.max_keys === null
              ? text('limitsNone', { count: data.active })
              : text('limits', { active: data.active, most: data.max_keys })}
          </span>
          {ended > 0 && (
            <button
              type="button"
              aria-pressed={withEnded}
              onClick={() => setWithEnded(!withEnded)}
              className="hover:text-ink hover:underline aria-pressed:text-ink"
            >
              {text('showEnded')} ({ended})
            </button>
          )}
        </div>
      )}
      <MakeKey open={open?.what === 'make'} onClose={close} onMade={show} />
      {open?.what === 'secret' && <ShowSecret made={open.made} onClose={close} />}
      {open?.what === 'change' && <ChangeKey apiKey={open.key} onClose={close} />}
      {open?.what === 'rotate' && <RotateKey apiKey={open.key} onClose={close} onMade={show} />}
      {open?.what === 'revoke' && (
        <Confirm
          open
          onClose={close}
          onConfirm={() => revoke.mutate({ params: { id: open.key.id } })}
          busy={revoke.isPending}
          title={text('revokeTitle', { name: open.key.name })}
          description={text('revokeAbout')}
          action={text('revokeAction')}
        />
      )}
    </Page>
  );
}

interface KeyTableProps {
  keys: readonly Key[];
  onChange: (key: Key) => void;
  onRotate: (key: Key) => void;
  onRevoke: (key: Key) => void;
}

function KeyTable({ keys, onChange, onRotate, onRevoke }: KeyTableProps) {
  const common = useCommonText();
  const text = useKeysText();
  const format = useFormat();
  const isOwner = useMay('owner');
  const isMember = useMay('member');
  const { person } = useSession();
  const columns: Column<Key>[] = [
    {
      id: 'name',
      title: text('name'),
      cell: key => (
        <div className="py-2">
          <div className="min-w-28 font-medium">{key.name}</div>
          <div className="font-mono text-xs whitespace-nowrap text-faint">sk-…{key.hint}</div>
        </div>
      ),
    },
    { id: 'state', title: text('state'), cell: key => <State apiKey={key} /> },
    { id: 'scopes', title: text('scopes'), cell: key => <Rights apiKey={key} /> },
    {
      id: 'spent',
      title: text('spent'),
      className: 'min-w-32',
      cell: key =>
        key.budget_usd === null ? (
          format.money(key.spent_usd)
        ) : (
          <div className="flex flex-col gap-1.5">
            <span className="whitespace-nowrap">
              {text('spentOf', { spent: format.money(key.spent_usd), budget: format.money(key.budget_usd) })}
            </span>
            <Progress
              label={text('budget')}
              value={key.budget_usd === 0 ? 1 : key.spent_usd / key.budget_usd}
              tone={
                key.spent_usd >= key.budget_usd * 0.95
                  ? 'bad'
                  : key.spent_usd >= key.budget_usd * 0.8
                    ? 'warn'
                    : 'accent'
              }
            />
          </div>
        ),
    },
    {
      id: 'used',
      title: text('lastUsed'),
      className: 'whitespace-nowrap text-muted',
      cell: key =>
        key.last_used_at ? <time dateTime={key.last_used_at}>{format.ago(key.last_used_at)}</time> : common('never'),
    },
    {
      id: 'by',
      title: text('madeBy'),
      className: 'whitespace-nowrap text-muted',
      cell: key => key.made_by?.name ?? '',
    },
    {
      id: 'menu',
      title: <span className="sr-only">{common('actions')}</span>,
      align: 'end',
      cell: key =>
        key.state === 'active' &&
        (isOwner || (isMember && key.made_by?.id === person?.id)) && (
          <Menu
            trigger={
              <Button look="quiet" size="icon" aria-label={text('menu', { name: key.name })}>
                <MoreHorizontal />
              </Button>
            }
          >
            <MenuItem icon={<Pencil />} onSelect={() => onChange(key)}>
              {text('change')}
            </MenuItem>
            <MenuItem icon={<RotateCw />} onSelect={() => onRotate(key)}>
              {text('rotate')}
            </MenuItem>
            <MenuItem icon={<Trash2 />} danger onSelect={() => onRevoke(key)}>
              {text('revoke')}
            </MenuItem>
          </Menu>
        ),
    },
  ];
  return <Table label={common('keys')} columns={columns} rows={keys} rowId={key => key.id} />;
}

function State({ apiKey }: { apiKey: Key }) {
  const text = useKeysText();
  const format = useFormat();
  if (apiKey.state === 'revoked') return <Badge tone="bad">{text('revoked')}</Badge>;
  if (apiKey.state === 'expired') return <Badge tone="warn">{text('expired')}</Badge>;
  return (
    <div className="flex flex-col items-start gap-0.5 whitespace-nowrap">
      <Badge tone="good">{text('active')}</Badge>
      {apiKey.expires_at && (
        <span className="text-xs text-muted">{text('ends', { when: format.ago(apiKey.expires_at) })}</span>
      )}
    </div>
  );
}

function Rights({ apiKey }: { apiKey: Key }) {
  const text = useKeysText();
  const names: Record<string, string> = {
    vectors: text('scopeVectors'),
    data: text('scopeData'),
    models: text('scopeModels'),
    usage: text('scopeUsage'),
  };
  return (
    <div className="min-w-28">
      <div>{apiKey.scopes ? apiKey.scopes.map(scope => names[scope] ?? scope).join(', ') : text('scopesAll')}</div>
      {apiKey.models && <div className="text-xs text-muted">{apiKey.models.join(', ')}</div>}
    </div>
  );
}
