// The texts of usage and billing.
import en from '../../messages/en/usage.ts';
import { type Text, useText } from '../../messages/index.ts';
import tr from '../../messages/tr/usage.ts';

const files = { en, tr };

export function useUsageText(): Text<typeof en> {
  return useText(files);
}
