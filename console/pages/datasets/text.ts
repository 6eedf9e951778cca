// Texts of the dataset pages.
import en from '../../messages/en/datasets.ts';
import { type Text, useText } from '../../messages/index.ts';
import tr from '../../messages/tr/datasets.ts';

const files = { en, tr };

export function useDatasetText(): Text<typeof en> {
  return useText(files);
}
