// Settings.
import { Page } from '../../layout/page.tsx';
import { useCommonText } from '../../messages/common.ts';
import { Skeleton } from '../../ui/empty.tsx';

export function SettingsPage() {
  const text = useCommonText();
  return (
    <Page title={text('settings')}>
      <Skeleton />
    </Page>
  );
}
