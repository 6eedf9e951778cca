// Texts of the model pages.
import en from '../../messages/en/models.ts';
import { type Text, useText } from '../../messages/index.ts';
import tr from '../../messages/tr/models.ts';

const files = { en, tr };

export type ModelText = Text<typeof en>;

export function useModelText(): ModelText {
  return useText(files);
}
