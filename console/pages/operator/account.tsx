// One account as the operator sees it: people, plan, credit.
import { type FormEvent, useState } from 'react';
import { type Answer, useChange, useRoute } from '../../api/index.ts';
import { useFormat } from '../../messages/format.ts';
import { Button } from '../../ui/button.tsx';
import { Facts } from '../../ui/card.tsx';
import { CopyLine } from '../../ui/copy.tsx';
import { Dialog } from '../../ui/dialog.tsx';
import { Problem, Skeleton } from '../../ui/empty.tsx';
import { TextField } from '../../ui/field.tsx';
import { Select } from '../../ui/select.tsx';
import { toast } from '../../ui/toast.tsx';
import { useEntryKind } from '../usage/entry-kind.ts';
import { useOperatorText } from './text.ts';

type Inspected = Answer<'inspectAccount'>;

export function AccountDialog({ id, onClose }: { id: string; onClose: () => void }) {
  const { data, error, refetch } = useRoute('inspectAccount', { params: { id } });
  return (
    <Dialog open wide onClose={onClose} title={data?.name ?? id} description={data && `${data.email} · ${data.id}`}>
      {error && <Problem error={error} retry={refetch} />}
      {!data && !error && <Skeleton />}
      {data && (
        <div className="grid gap-8 md:grid-cols-2">
          <div className="flex flex-col gap-6">
            <State account={data} />
            <Plan account={data} />
            {data.billed && <Credit id={data.id} />}
          </div>
          <div className="flex flex-col gap-6">
            <People account={data} />
            <Entries account={data} />
          </div>
        </div>
      )}
    </Dialog>
  );
}

function State({ account }: { account: Inspected }) {
  const text = useOperatorText();
  const format = useFormat();
  return (
    <Facts
      facts={[
        [text('balance'), account.balance_usd === null ? text('notBilled') : format.money(account.balance_usd)],
        [text('spent'), format.money(account.spent_usd)],
        [text('keys'), format.number(account.keys)],
        [text('storage'), format.bytes(account.storage_bytes)],
      ]}
    />
  );
}

function Plan({ account }: { account: Inspected }) {
  const text = useOperatorText();
  const { data } = useRoute('listPlansInUse');
  const changing = useChange('changeAccount', {
    refresh: ['searchAccounts', 'inspectAccount', 'listPlansInUse', 'listPlans', 'getSession'],
    onDone: () => toast(text('planChanged')),
  });
  const plans = data?.data ?? [{ name: account.plan, title: account.plan }];
  return (
    <Select
      label={text('changePlan')}
      value={account.plan}
      onChange={plan => changing.mutate({ params: { id: account.id }, body: { plan } })}
      choices={plans.map(plan => ({ value: plan.name, label: plan.title }))}
    />
  );
}

function Credit({ id }: { id: string }) {
  const text = useOperatorText();
  const format = useFormat();
  const [amount, setAmount] = useState('');
  const [note, setNote] = useState('');
  const adding = useChange('addCredit', {
    quiet: true,
    refresh: ['searchAccounts', 'inspectAccount', 'getBilling', 'listLedger'],
    onDone: ({ balance_usd: balance }) => {
      setAmount('');
      setNote('');
      toast(text('creditAdded', { balance: format.money(balance ?? 0) }));
    },
  });
  const submit = (event: FormEvent) => {
    event.preventDefault();
    adding.mutate({ params: { id }, body: { amount_usd: Number(amount), ...(note !== '' && { note }) } });
  };
  return (
    <form onSubmit={submit} className="flex flex-col gap-3">
      <h3 className="font-semibold">{text('addCredit')}</h3>
      <TextField
        label={text('amount')}
        type="number"
        step="0.01"
        required
        value={amount}
        onChange={event => setAmount(event.target.value)}
      />
      <TextField
        label={text('note')}
        hint={text('noteHint')}
        maxLength={500}
        value={note}
        onChange={event => setNote(event.target.value)}
      />
      {adding.error && <Problem error={adding.error} />}
      <Button type="submit" className="self-start" busy={adding.isPending}>
        {text('addCredit')}
      </Button>
    </form>
  );
}

function People({ account }: { account: Inspected }) {
  const text = useOperatorText();
  const making = useChange('createResetLink');
  const vouching = useChange('confirmPerson', { refresh: ['inspectAccount'] });
  return (
    <section>
      <h3 className="mb-2 font-semibold">{text('people')}</h3>
      <ul className="flex flex-col gap-2">
        {account.people.map(person => (
          <li key={person.person_id} className="flex items-center justify-between gap-3">
            <span className="min-w-0">
              <span className="block truncate">{person.name}</span>
              <span className="block truncate text-sm text-muted">{person.email}</span>
            </span>
            <span className="flex flex-wrap justify-end gap-1.5">
              {!person.email_verified && (
                <Button
                  size="small"
                  title={text('vouchAbout')}
                  onClick={() => vouching.mutate({ params: { id: person.person_id } })}
                >
                  {text('vouch')}
                </Button>
              )}
              <Button size="small" onClick={() => making.mutate({ params: { id: person.person_id } })}>
                {text('resetLink')}
              </Button>
            </span>
          </li>
        ))}
      </ul>
      {making.data && (
        <div className="mt-3">
          <p className="mb-2 text-sm text-muted">{text('resetAbout')}</p>
          <CopyLine value={making.data.link} label={text('linkCopy')} />
        </div>
      )}
    </section>
  );
}

function Entries({ account }: { account: Inspected }) {
  const text = useOperatorText();
  const kindName = useEntryKind();
  const format = useFormat();
  return (
    <section>
      <h3 className="mb-2 font-semibold">{text('ledger')}</h3>
      {account.ledger.length === 0 && <p className="text-muted">{text('ledgerEmpty')}</p>}
      <ul className="flex max-h-60 flex-col gap-1.5 overflow-y-auto text-sm">
        {account.ledger.map(entry => (
          <li key={entry.id} className="flex justify-between gap-3">
            <span className="min-w-0 truncate text-muted">
              {[format.date(entry.at), kindName(entry.kind), entry.note].filter(Boolean).join(' · ')}
            </span>
            <span>{format.money(entry.amount_usd)}</span>
          </li>
        ))}
      </ul>
    </section>
  );
}
