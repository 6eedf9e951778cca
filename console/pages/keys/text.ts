// The texts of keys.
import en from '../../messages/en/keys.ts';
import { type Text, useText } from '../../messages/index.ts';
import tr from '../../messages/tr/keys.ts';

const files = { en, tr };

export function useKeysText(): Text<typeof en> {
  return useText(files);
}
