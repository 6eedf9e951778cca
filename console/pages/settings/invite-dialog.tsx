// The form of an invitation, whatever it is to, and then its link, shown this once.
import { type FormEvent, type ReactNode, useId, useState } from 'react';
import { useCommonText } from '../../messages/common.ts';
import { Button } from '../../ui/button.tsx';
import { CopyLine } from '../../ui/copy.tsx';
import { Dialog } from '../../ui/dialog.tsx';
import { Problem } from '../../ui/empty.tsx';
import { TextField } from '../../ui/field.tsx';
import { useSettingsText } from './text.ts';

interface InviteDialogProps {
  title: string;
  description?: string;
  onClose: () => void;
  onInvite: (email: string) => void;
  /** How the invitation is getting on. */
  inviting: { isPending: boolean; error: Error | null; data: { link: string; mailed: boolean } | undefined };
  /** What is asked beside the address. */
  children: ReactNode;
}

export function InviteDialog({ title, description, onClose, onInvite, inviting, children }: InviteDialogProps) {
  const common = useCommonText();
  const text = useSettingsText();
  const form = useId();
  const [email, setEmail] = useState('');
  const submit = (event: FormEvent) => {
    event.preventDefault();
    onInvite(email);
  };
  if (inviting.data)
    return (
      <Dialog
        open
        firm
        onClose={onClose}
        title={text('linkTitle')}
        description={text('linkAbout')}
        actions={
          <Button look="primary" onClick={onClose}>
            {text('done')}
          </Button>
        }
      >
        <CopyLine value={inviting.data.link} label={text('linkCopy')} />
        {inviting.data.mailed && <p className="mt-3 text-muted">{text('linkMailed', { email })}</p>}
      </Dialog>
    );
  return (
    <Dialog
      open
      onClose={onClose}
      title={title}
      description={description}
      actions={
        <>
          <Button onClick={onClose}>{common('cancel')}</Button>
          <Button look="primary" type="submit" form={form} busy={inviting.isPending}>
            {text('inviteAction')}
          </Button>
        </>
      }
    >
      <form id={form} onSubmit={submit} className="flex flex-col gap-4">
        <TextField
          label={text('email')}
          type="email"
          required
          autoComplete="off"
          value={email}
          onChange={event => setEmail(event.target.value)}
        />
        {children}
        {inviting.error && <Problem error={inviting.error} />}
      </form>
    </Dialog>
  );
}
