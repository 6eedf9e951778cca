// The language models that one can talk to, and teach, as they are.
import { useRoute } from '../../api/index.ts';

export function useBaseModels(): { value: string; label: string }[] {
  const { data } = useRoute('listOpenAIModels');
  return (data?.data ?? [])
    .filter(({ kind, owned_by: owner }) => kind === 'decoder' && owner !== 'you')
    .map(({ id }) => ({ value: id, label: id }));
}
