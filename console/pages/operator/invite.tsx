// An invitation to sign up with an account of one's own.
import { type FormEvent, useId, useState } from 'react';
import { useChange, useRoute } from '../../api/index.ts';
import { useCommonText } from '../../messages/common.ts';
import { Button } from '../../ui/button.tsx';
import { Dialog } from '../../ui/dialog.tsx';
import { Problem } from '../../ui/empty.tsx';
import { TextField } from '../../ui/field.tsx';
import { Select } from '../../ui/select.tsx';
import { InvitationLink } from '../settings/invite.tsx';
import { useOperatorText } from './text.ts';

export function InviteToSignUp({ onClose }: { onClose: () => void }) {
  const common = useCommonText();
  const text = useOperatorText();
  const form = useId();
  const [email, setEmail] = useState('');
  const [plan, setPlan] = useState('free');
  const { data } = useRoute('listPlansInUse');
  const inviting = useChange('createSignUpInvitation', { quiet: true });
  const submit = (event: FormEvent) => {
    event.preventDefault();
    inviting.mutate({ body: { email, plan } });
  };
  if (inviting.data)
    return (
      <InvitationLink link={inviting.data.link} mailedTo={inviting.data.mailed ? email : null} onClose={onClose} />
    );
  return (
    <Dialog
      open
      onClose={onClose}
      title={text('invite')}
      description={text('inviteAbout')}
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
        <Select
          label={text('plan')}
          value={plan}
          onChange={setPlan}
          choices={(data?.data ?? []).map(each => ({ value: each.name, label: each.title }))}
        />
        {inviting.error && <Problem error={inviting.error} />}
      </form>
    </Dialog>
  );
}
