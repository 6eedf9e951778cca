// Texts that all pages share.
import en from './en/common.ts';
import tr from './tr/common.ts';
import { type Text, useText } from './index.ts';

const files = { en, tr };

export function useCommonText(): Text<typeof en> {
  return useText(files);
}
