// The form of an invitation, and then its link, shown this once.
import { type FormEvent, useId, useState } from 'react';
import { type Role, useChange } from '../../api/index.ts';
import { useCommonText } from '../../messages/common.ts';
import { Button } from '../../ui/button.tsx';
import { CopyLine } from '../../ui/copy.tsx';
import { Dialog } from '../../ui/dialog.tsx';
import { Problem } from '../../ui/empty.tsx';
import { TextField } from '../../ui/field.tsx';
import { Select } from '../../ui/select.tsx';
import { useRoleNames } from './people.tsx';
import { useSettingsText } from './text.ts';

export function Invite({ onClose }: { onClose: () => void }) {
  const common = useCommonText();
  const text = useSettingsText();
  const names = useRoleNames();
  const form = useId();
  const [email, setEmail] = useState('');
  const [role, setRole] = useState<Role>('member');
  const inviting = useChange('createInvitation', { refresh: ['listInvitations'], quiet: true });
  const submit = (event: FormEvent) => {
    event.preventDefault();
    inviting.mutate({ body: { email, role } });
  };
  if (inviting.data)
    return (
      <InvitationLink link={inviting.data.link} mailedTo={inviting.data.mailed ? email : null} onClose={onClose} />
    );
  return (
    <Dialog
      open
      onClose={onClose}
      title={text('inviteTitle')}
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
          label={text('role')}
          value={role}
          onChange={setRole}
          choices={[
            { value: 'member', label: names.member, about: text('roleMemberAbout') },
            { value: 'viewer', label: names.viewer, about: text('roleViewerAbout') },
            { value: 'owner', label: names.owner, about: text('roleOwnerAbout') },
          ]}
        />
        {inviting.error && <Problem error={inviting.error} />}
      </form>
    </Dialog>
  );
}

export function InvitationLink({
  link,
  mailedTo,
  onClose,
}: {
  link: string;
  mailedTo: string | null;
  onClose: () => void;
}) {
  const text = useSettingsText();
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
      <CopyLine value={link} label={text('linkCopy')} />
      {mailedTo && <p className="mt-3 text-muted">{text('linkMailed', { email: mailedTo })}</p>}
    </Dialog>
  );
}
