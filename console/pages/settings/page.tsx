// Settings: the person, the account, its people, and who changed what.
import { useMay } from '../../api/index.ts';
import { Page } from '../../layout/page.tsx';
import { useCommonText } from '../../messages/common.ts';
import { Tabs } from '../../ui/tabs.tsx';
import { AccountSettings } from './account.tsx';
import { Audit } from './audit.tsx';
import { People } from './people.tsx';
import { ProfileSettings } from './profile.tsx';
import { useSettingsText } from './text.ts';

export function SettingsPage() {
  const common = useCommonText();
  const text = useSettingsText();
  const isOwner = useMay('owner');
  return (
    <Page title={common('settings')} description={text('about')}>
      <Tabs
        label={common('settings')}
        tabs={[
          { id: 'profile', title: text('tabProfile'), content: <ProfileSettings /> },
          { id: 'account', title: text('tabAccount'), content: <AccountSettings /> },
          { id: 'people', title: text('tabPeople'), content: <People /> },
          ...(isOwner ? [{ id: 'audit', title: text('tabAudit'), content: <Audit /> }] : []),
        ]}
      />
    </Page>
  );
}
