// The operator's page: health, accounts, models, plans, and the server's log of changes.
import { useRoute, useSession } from '../../api/index.ts';
import { Page } from '../../layout/page.tsx';
import { NotFound } from '../../layout/states.tsx';
import { useCommonText } from '../../messages/common.ts';
import { Card } from '../../ui/card.tsx';
import { Problem, Skeleton } from '../../ui/empty.tsx';
import { Tabs } from '../../ui/tabs.tsx';
import { AuditTable } from '../settings/audit.tsx';
import { Accounts } from './accounts.tsx';
import { Health } from './health.tsx';
import { Catalog } from './models.tsx';
import { Plans } from './plans.tsx';
import { useOperatorText } from './text.ts';

export function OperatorPage() {
  const common = useCommonText();
  const text = useOperatorText();
  const { operator } = useSession();
  if (!operator) return <NotFound />;
  return (
    <Page title={common('operator')} description={text('about')}>
      <Tabs
        label={common('operator')}
        tabs={[
          { id: 'health', title: text('tabHealth'), content: <Health /> },
          { id: 'accounts', title: text('tabAccounts'), content: <Accounts /> },
          { id: 'models', title: text('tabModels'), content: <Catalog /> },
          { id: 'plans', title: text('tabPlans'), content: <Plans /> },
          { id: 'audit', title: text('tabAudit'), content: <ServerAudit /> },
        ]}
      />
    </Page>
  );
}

function ServerAudit() {
  const { data, error, refetch } = useRoute('listServerAudit', { query: { limit: 200 } });
  if (error) return <Problem error={error} retry={refetch} />;
  return <Card flush>{data ? <AuditTable entries={data.data} /> : <Skeleton />}</Card>;
}
