// Jobs.
import { Page } from '../../layout/page.tsx';
import { useCommonText } from '../../messages/common.ts';
import { Skeleton } from '../../ui/empty.tsx';

export function JobsPage() {
  const text = useCommonText();
  return (
    <Page title={text('jobs')}>
      <Skeleton />
    </Page>
  );
}
