// The account's people, and invitations that are open.
import { MoreHorizontal, Plus } from 'lucide-react';
import { useState } from 'react';
import { type Answer, type Role, useChange, useMay, useRoute } from '../../api/index.ts';
import { useCommonText } from '../../messages/common.ts';
import { useFormat } from '../../messages/format.ts';
import { Badge } from '../../ui/badge.tsx';
import { Button } from '../../ui/button.tsx';
import { Card } from '../../ui/card.tsx';
import { Confirm } from '../../ui/dialog.tsx';
import { Problem, Skeleton } from '../../ui/empty.tsx';
import { Menu, MenuItem, MenuLabel, MenuLine } from '../../ui/menu.tsx';
import { type Column, Table } from '../../ui/table.tsx';
import { toast } from '../../ui/toast.tsx';
import { Invite } from './invite.tsx';
import { useSettingsText } from './text.ts';

type Member = Answer<'listMembers'>['data'][number];

export function useRoleNames(): Record<Role, string> {
  const common = useCommonText();
  return { owner: common('roleOwner'), member: common('roleMember'), viewer: common('roleViewer') };
}

export function People() {
  const text = useSettingsText();
  const isOwner = useMay('owner');
  const [inviting, setInviting] = useState(false);
  const [leaving, setLeaving] = useState<Member | null>(null);
  const { data, error, refetch } = useRoute('listMembers');
  const removing = useChange('removeMember', {
    refresh: ['listMembers'],
    onDone: () => {
      if (leaving?.you) location.assign('/');
      else toast(text('removed', { name: leaving?.name ?? '' }));
      setLeaving(null);
    },
  });
  if (error) return <Problem error={error} retry={refetch} />;
  return (
    <div className="flex flex-col gap-6">
      <Card
        flush
        title={text('membersTitle')}
        actions={
          isOwner && (
            <Button size="small" look="primary" icon={<Plus />} onClick={() => setInviting(true)}>
              {text('invite')}
            </Button>
          )
        }
      >
        {data ? <Members members={data.data} onRemove={setLeaving} /> : <Skeleton />}
      </Card>
      {isOwner && <Invitations />}
      {inviting && <Invite onClose={() => setInviting(false)} />}
      {leaving && (
        <Confirm
          open
          onClose={() => setLeaving(null)}
          onConfirm={() => removing.mutate({ params: { id: leaving.person_id } })}
          busy={removing.isPending}
          title={leaving.you ? text('leaveTitle') : text('removeTitle', { name: leaving.name })}
          description={text(leaving.you ? 'leaveAbout' : 'removeAbout')}
          action={text(leaving.you ? 'leave' : 'remove')}
        />
      )}
    </div>
  );
}

function Members({ members, onRemove }: { members: readonly Member[]; onRemove: (member: Member) => void }) {
  const common = useCommonText();
  const text = useSettingsText();
  const format = useFormat();
  const isOwner = useMay('owner');
  const roleNames = useRoleNames();
  const changing = useChange('changeMember', {
    refresh: ['listMembers', 'getSession'],
    onDone: ({ name, role }) => toast(text('roleChanged', { name, role: roleNames[role] })),
  });
  const columns: Column<Member>[] = [
    {
      id: 'name',
      title: text('name'),
      cell: member => (
        <div className="py-2">
          <div className="flex items-center gap-2 font-medium">
            {member.name}
            {member.you && <Badge>{text('you')}</Badge>}
          </div>
          <div className="text-muted">{member.email}</div>
        </div>
      ),
    },
    { id: 'role', title: text('role'), cell: member => roleNames[member.role] },
    {
      id: 'since',
      title: text('since'),
      className: 'whitespace-nowrap text-muted',
      cell: member => format.date(member.since),
    },
    {
      id: 'seen',
      title: text('lastSeen'),
      className: 'whitespace-nowrap text-muted',
      cell: member => (member.last_seen_at ? format.ago(member.last_seen_at) : common('never')),
    },
    {
      id: 'menu',
      title: <span className="sr-only">{common('actions')}</span>,
      align: 'end',
      cell: member =>
        (isOwner || member.you) && (
          <Menu
            trigger={
              <Button look="quiet" size="icon" aria-label={text('menu', { name: member.name })}>
                <MoreHorizontal />
              </Button>
            }
          >
            {isOwner && (
              <>
                <MenuLabel>{text('role')}</MenuLabel>
                {(['owner', 'member', 'viewer'] as const).map(role => (
                  <MenuItem
                    key={role}
                    checked={member.role === role}
                    onSelect={() => {
                      if (member.role !== role) changing.mutate({ params: { id: member.person_id }, body: { role } });
                    }}
                  >
                    {roleNames[role]}
                  </MenuItem>
                ))}
                <MenuLine />
              </>
            )}
            <MenuItem danger onSelect={() => onRemove(member)}>
              {text(member.you ? 'leave' : 'remove')}
            </MenuItem>
          </Menu>
        ),
    },
  ];
  return <Table label={text('membersTitle')} columns={columns} rows={members} rowId={member => member.person_id} />;
}

function Invitations() {
  const common = useCommonText();
  const text = useSettingsText();
  const format = useFormat();
  const roleNames = useRoleNames();
  const { data } = useRoute('listInvitations');
  const taking = useChange('revokeInvitation', { refresh: ['listInvitations'] });
  const invitations = data?.data ?? [];
  return (
    <Card flush title={text('invitationsTitle')}>
      {invitations.length === 0 ? (
        <p className="px-5 pb-5 text-muted">{text('invitationsEmpty')}</p>
      ) : (
        <Table
          label={text('invitationsTitle')}
          rows={invitations}
          rowId={invitation => invitation.id}
          columns={[
            { id: 'email', title: text('email'), cell: invitation => invitation.email },
            { id: 'role', title: text('role'), cell: invitation => invitation.role && roleNames[invitation.role] },
            { id: 'expires', title: text('expires'), cell: invitation => format.ago(invitation.expires_at) },
            {
              id: 'back',
              title: <span className="sr-only">{common('actions')}</span>,
              align: 'end',
              cell: invitation => (
                <Button size="small" look="quiet" onClick={() => taking.mutate({ params: { id: invitation.id } })}>
                  {text('takeBack')}
                </Button>
              ),
            },
          ]}
        />
      )}
    </Card>
  );
}
