// The texts of jobs.
import en from '../../messages/en/jobs.ts';
import { type Text, useText } from '../../messages/index.ts';
import tr from '../../messages/tr/jobs.ts';

const files = { en, tr };

export function useJobsText(): Text<typeof en> {
  return useText(files);
}
