import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { operationTable } from './table.ts';

/** Those that were promised. */
const promised = {
  clean:
    'drop_nulls fill_nulls deduplicate trim change_case null_tokens replace_values regex_replace cast parse_dates outliers clip ' +
    'normalize_unicode cluster_values mask_pii validate',
  transform:
    'select drop rename filter sort sample derive split_column merge_columns extract date_parts bin scale one_hot ordinal_encode ' +
    'aggregate pivot unpivot flatten_json window join union split_dataset',
  enrich: 'embed_text predict similarity lookup text_stats detect_language chunk_text',
};

test.each(Object.entries(promised))('the code and the document have the operations of %s', (family, names) => {
  const inCode = Object.entries(operationTable).filter(
    ([name, definition]) => definition.family === family && name !== 'clean',
  );
  expect(inCode.map(([name]) => name).toSorted()).toEqual(names.split(' ').toSorted());
  const document = readFileSync(new URL('../../docs/operations.md', import.meta.url), 'utf8');
  const [, section = ''] = document.split(`\n## ${family}\n`);
  const rows = (section.split('\n## ')[0] ?? '').matchAll(/^\| `(\w+)` \|.*"op": "(\w+)"/gm);
  const documented = [...rows].map(([, name, example]) =>
    name === example ? name : `${name} has an example of ${example}`,
  );
  expect(documented).toEqual(names.split(' '));
});
