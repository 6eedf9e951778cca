// Usage.
import { Page } from '../../layout/page.tsx';
import { useCommonText } from '../../messages/common.ts';
import { Skeleton } from '../../ui/empty.tsx';

export function UsagePage() {
  const text = useCommonText();
  return (
    <Page title={text('usage')}>
      <Skeleton />
    </Page>
  );
}
