// The account: its name, default model and invoice address, its data to take along, and its end.
import { Download } from 'lucide-react';
import { type FormEvent, useState } from 'react';
import { type Answer, addressOf, reloadSession, useChange, useMay, useRoute } from '../../api/index.ts';
import { download } from '../../api/download.ts';
import { useCommonText } from '../../messages/common.ts';
import { useFormat } from '../../messages/format.ts';
import { prefer } from '../../preferences.ts';
import { Button } from '../../ui/button.tsx';
import { Card } from '../../ui/card.tsx';
import { Confirm } from '../../ui/dialog.tsx';
import { Problem, Skeleton } from '../../ui/empty.tsx';
import { TextArea, TextField } from '../../ui/field.tsx';
import { Progress } from '../../ui/progress.tsx';
import { Select } from '../../ui/select.tsx';
import { toast } from '../../ui/toast.tsx';
import { useSettingsText } from './text.ts';

type Account = Answer<'getOwnAccount'>;

export function AccountSettings() {
  const isOwner = useMay('owner');
  const { data, error, refetch } = useRoute('getOwnAccount');
  if (error) return <Problem error={error} retry={refetch} />;
  if (!data) return <Skeleton />;
  return (
    <div className="flex flex-col gap-6">
      <Details key={data.id} account={data} />
      <Storage account={data} />
      {isOwner && <Export account={data} />}
      {isOwner && <Deletion account={data} />}
    </div>
  );
}

function Details({ account }: { account: Account }) {
  const common = useCommonText();
  const text = useSettingsText();
  const isOwner = useMay('owner');
  const { data: models } = useRoute('listModels');
  const [name, setName] = useState(account.name);
  const [model, setModel] = useState(account.default_model);
  const [billing, setBilling] = useState(account.billing);
  const saving = useChange('changeOwnAccount', {
    refresh: ['getOwnAccount', 'listModels'],
    onDone: () => {
      void reloadSession();
      toast(common('saved'));
    },
  });
  const submit = (event: FormEvent) => {
    event.preventDefault();
    saving.mutate({ body: { name, billing, ...(model !== account.default_model && { default_model: model }) } });
  };
  const aliases = [...new Set([account.default_model, ...Object.keys(models?.models ?? {})])];
  return (
    <Card title={text('accountTitle')} description={account.id}>
      <form onSubmit={submit} className="flex max-w-md flex-col gap-4">
        <TextField
          label={text('accountName')}
          required
          maxLength={100}
          disabled={!isOwner}
          value={name}
          onChange={event => setName(event.target.value)}
        />
        <Select
          label={text('defaultModel')}
          hint={text('defaultModelHint')}
          disabled={!isOwner}
          value={model}
          onChange={setModel}
          choices={aliases.map(alias => ({ value: alias, label: alias }))}
        />
        <h3 className="mt-2 font-semibold">{text('invoiceTitle')}</h3>
        <TextField
          label={text('invoiceName')}
          maxLength={200}
          disabled={!isOwner}
          autoComplete="organization"
          value={billing.name}
          onChange={event => setBilling({ ...billing, name: event.target.value })}
        />
        <TextArea
          label={text('invoiceAddress')}
          maxLength={1000}
          disabled={!isOwner}
          autoComplete="street-address"
          value={billing.address}
          onChange={event => setBilling({ ...billing, address: event.target.value })}
        />
        <TextField
          label={text('taxId')}
          maxLength={100}
          disabled={!isOwner}
          value={billing.tax_id}
          onChange={event => setBilling({ ...billing, tax_id: event.target.value })}
        />
        {isOwner ? (
          <Button type="submit" look="primary" className="self-start" busy={saving.isPending}>
            {common('save')}
          </Button>
        ) : (
          <p className="text-sm text-muted">{text('ownerOnly')}</p>
        )}
      </form>
    </Card>
  );
}

function Storage({ account }: { account: Account }) {
  const common = useCommonText();
  const text = useSettingsText();
  const format = useFormat();
  const { used_bytes: used, limit_bytes: limit } = account.storage;
  return (
    <Card title={text('storage')}>
      <p className="mb-3 text-muted">
        {text('storageUsed', {
          used: format.bytes(used),
          limit: limit === null ? common('unlimited') : format.bytes(limit),
        })}
      </p>
      {limit !== null && (
        <Progress
          label={text('storage')}
          value={limit === 0 ? 1 : used / limit}
          tone={used > limit * 0.9 ? 'bad' : 'accent'}
        />
      )}
    </Card>
  );
}

function Export({ account }: { account: Account }) {
  const text = useSettingsText();
  const [busy, setBusy] = useState(false);
  const run = async () => {
    setBusy(true);
    await download(addressOf('exportAccount'), `${account.id}.zip`);
    setBusy(false);
  };
  return (
    <Card title={text('exportTitle')} description={text('exportAbout')}>
      <Button icon={<Download />} busy={busy} onClick={() => void run()}>
        {text('exportAction')}
      </Button>
    </Card>
  );
}

function Deletion({ account }: { account: Account }) {
  const text = useSettingsText();
  const [open, setOpen] = useState(false);
  const [typed, setTyped] = useState('');
  const deleting = useChange('deleteOwnAccount', {
    onDone: () => {
      prefer({ account: null });
      location.assign('/');
    },
  });
  return (
    <Card title={text('deleteTitle')} description={text('deleteAbout')}>
      <Button look="danger" onClick={() => setOpen(true)}>
        {text('deleteAction')}
      </Button>
      <Confirm
        open={open}
        onClose={() => setOpen(false)}
        onConfirm={() => deleting.mutate({ body: { confirm: account.id } })}
        busy={deleting.isPending}
        disabled={typed !== account.id}
        title={text('deleteTitle')}
        description={text('deleteAbout')}
        action={text('deleteAction')}
      >
        <p className="mb-3">{text('deleteConfirm', { id: account.id })}</p>
        <TextField
          label={text('deleteField')}
          mono
          autoComplete="off"
          value={typed}
          onChange={event => setTyped(event.target.value)}
        />
      </Confirm>
    </Card>
  );
}
