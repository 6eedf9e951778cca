// An invitation into the account, in a role.
import { useState } from 'react';
import { type Role, useChange } from '../../api/index.ts';
import { Select } from '../../ui/select.tsx';
import { InviteDialog } from './invite-dialog.tsx';
import { useRoleNames } from './people.tsx';
import { useSettingsText } from './text.ts';

export function Invite({ onClose }: { onClose: () => void }) {
  const text = useSettingsText();
  const names = useRoleNames();
  const [role, setRole] = useState<Role>('member');
  const inviting = useChange('createInvitation', { refresh: ['listInvitations'], quiet: true });
  return (
    <InviteDialog
      title={text('inviteTitle')}
      inviting={inviting}
      onClose={onClose}
      onInvite={email => inviting.mutate({ body: { email, role } })}
    >
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
    </InviteDialog>
  );
}
