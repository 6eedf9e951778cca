// Playground.
import { Page } from '../../layout/page.tsx';
import { useCommonText } from '../../messages/common.ts';
import { Skeleton } from '../../ui/empty.tsx';

export function PlaygroundPage() {
  const text = useCommonText();
  return (
    <Page title={text('playground')}>
      <Skeleton />
    </Page>
  );
}
