// Another e-mail address; where the server sends mail, it counts when the link in the mail to it is followed.
import { type FormEvent, useId, useState } from 'react';
import { reloadSession, useChange, useSession } from '../../api/index.ts';
import { useCommonText } from '../../messages/common.ts';
import { Button } from '../../ui/button.tsx';
import { Dialog } from '../../ui/dialog.tsx';
import { Problem } from '../../ui/empty.tsx';
import { TextField } from '../../ui/field.tsx';
import { toast } from '../../ui/toast.tsx';
import { useSettingsText } from './text.ts';

export function ChangeEmail({ onClose }: { onClose: () => void }) {
  const common = useCommonText();
  const text = useSettingsText();
  const form = useId();
  const { person } = useSession();
  const [email, setEmail] = useState('');
  const [password, setPassword] = useState('');
  const changing = useChange('changeEmail', {
    quiet: true,
    onDone: ({ changed }) => {
      void reloadSession();
      toast(changed ? common('saved') : text('emailSent', { email }));
      onClose();
    },
  });
  const submit = (event: FormEvent) => {
    event.preventDefault();
    changing.mutate({ body: { email, ...(person?.has_password && { currentPassword: password }) } });
  };
  return (
    <Dialog
      open
      onClose={onClose}
      title={text('changeEmail')}
      actions={
        <>
          <Button onClick={onClose}>{common('cancel')}</Button>
          <Button look="primary" type="submit" form={form} busy={changing.isPending}>
            {text('changeEmail')}
          </Button>
        </>
      }
    >
      <form id={form} onSubmit={submit} className="flex flex-col gap-4">
        <TextField
          label={text('newEmail')}
          type="email"
          required
          autoComplete="email"
          value={email}
          onChange={event => setEmail(event.target.value)}
        />
        {person?.has_password && (
          <TextField
            label={text('currentPassword')}
            type="password"
            required
            autoComplete="current-password"
            value={password}
            onChange={event => setPassword(event.target.value)}
          />
        )}
        {changing.error && <Problem error={changing.error} />}
      </form>
    </Dialog>
  );
}
