// Texts of the playground.
import en from '../../messages/en/playground.ts';
import { type Text, useText } from '../../messages/index.ts';
import tr from '../../messages/tr/playground.ts';

const files = { en, tr };

export function usePlaygroundText(): Text<typeof en> {
  return useText(files);
}
