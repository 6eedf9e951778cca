// What an entry of the ledger is, in words.
import { useUsageText } from './text.ts';

const kinds = ['opening', 'sign_up', 'monthly', 'credit', 'payment', 'usage'] as const;

export function useEntryKind(): (kind: string) => string {
  const text = useUsageText();
  return kind => {
    const known = kinds.find(each => each === kind);
    return known ? text(known) : kind;
  };
}
