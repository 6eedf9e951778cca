// One job.
import { JobsPage } from './page.tsx';

export function JobPage() {
  return <JobsPage />;
}
