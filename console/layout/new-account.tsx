// Another account of the same person, with data, keys and a balance of its own.
import { type FormEvent, useId, useState } from 'react';
import { reloadSession, switchAccount, useChange } from '../api/index.ts';
import { useCommonText } from '../messages/common.ts';
import { Button } from '../ui/button.tsx';
import { Dialog } from '../ui/dialog.tsx';
import { Problem } from '../ui/empty.tsx';
import { TextField } from '../ui/field.tsx';

export function NewAccount({ onClose }: { onClose: () => void }) {
  const text = useCommonText();
  const form = useId();
  const [name, setName] = useState('');
  const making = useChange('createOwnAccount', {
    quiet: true,
    onDone: ({ id }) => {
      onClose();
      void reloadSession().then(() => switchAccount(id));
    },
  });
  const submit = (event: FormEvent) => {
    event.preventDefault();
    making.mutate({ body: { name } });
  };
  return (
    <Dialog
      open
      onClose={onClose}
      title={text('newAccount')}
      description={text('newAccountAbout')}
      actions={
        <>
          <Button onClick={onClose}>{text('cancel')}</Button>
          <Button look="primary" type="submit" form={form} busy={making.isPending}>
            {text('newAccountAction')}
          </Button>
        </>
      }
    >
      <form id={form} onSubmit={submit} className="flex flex-col gap-4">
        <TextField
          label={text('newAccountName')}
          required
          maxLength={100}
          autoComplete="organization"
          value={name}
          onChange={event => setName(event.target.value)}
        />
        {making.error && <Problem error={making.error} />}
      </form>
    </Dialog>
  );
}
