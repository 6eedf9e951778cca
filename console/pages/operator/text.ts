// The texts of the operator's page.
import en from '../../messages/en/operator.ts';
import { type Text, useText } from '../../messages/index.ts';
import tr from '../../messages/tr/operator.ts';

const files = { en, tr };

export function useOperatorText(): Text<typeof en> {
  return useText(files);
}
