// The texts of settings.
import en from '../../messages/en/settings.ts';
import { type Text, useText } from '../../messages/index.ts';
import tr from '../../messages/tr/settings.ts';

const files = { en, tr };

export function useSettingsText(): Text<typeof en> {
  return useText(files);
}
