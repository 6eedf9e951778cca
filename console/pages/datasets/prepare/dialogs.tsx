// The steps as JSON, and steps taken over from another version's recipe.
import { useState } from 'react';
import { useRoute } from '../../../api/index.ts';
import { useCommonText } from '../../../messages/common.ts';
import { Button } from '../../../ui/button.tsx';
import { Dialog } from '../../../ui/dialog.tsx';
import { Problem } from '../../../ui/empty.tsx';
import { TextArea } from '../../../ui/field.tsx';
import { Select } from '../../../ui/select.tsx';
import type { Operation } from '../operations/draft.ts';
import { useOperationText } from './text.ts';

interface TakeProps {
  onClose: () => void;
  onTake: (operations: readonly Operation[]) => void;
}

export function JsonDialog({ operations, onClose, onTake }: TakeProps & { operations: readonly Operation[] }) {
  const text = useOperationText();
  const common = useCommonText();
  const [written, setWritten] = useState(() => JSON.stringify(operations, null, 2));
  const [fault, setFault] = useState<string | null>(null);
  const take = () => {
    try {
      onTake(readOperations(written));
      onClose();
    } catch (thrown) {
      setFault(text('jsonBad', { reason: thrown instanceof Error ? thrown.message : String(thrown) }));
    }
  };
  return (
    <Dialog
      open
      wide
      onClose={onClose}
      title={text('asJson')}
      description={text('jsonAbout')}
      actions={
        <>
          <Button onClick={onClose}>{common('cancel')}</Button>
          <Button look="primary" onClick={take}>
            {text('takeOver')}
          </Button>
        </>
      }
    >
      <TextArea
        hideLabel
        label={text('asJson')}
        mono
        rows={16}
        spellCheck={false}
        value={written}
        error={fault}
        onChange={event => setWritten(event.target.value)}
      />
    </Dialog>
  );
}

export function RecipeDialog({ onClose, onTake }: TakeProps) {
  const text = useOperationText();
  const common = useCommonText();
  const { data } = useRoute('listDatasets');
  const [id, setId] = useState('');
  const { data: chosen, error } = useRoute('getDataset', { params: { id } }, { enabled: id !== '' });
  return (
    <Dialog
      open
      onClose={onClose}
      title={text('recipeTitle')}
      description={text('recipeAbout')}
      actions={
        <>
          <Button onClick={onClose}>{common('cancel')}</Button>
          <Button
            look="primary"
            disabled={!chosen || chosen.recipe.length === 0}
            onClick={() => {
              if (chosen) onTake(chosen.recipe);
              onClose();
            }}
          >
            {text('takeOver')}
          </Button>
        </>
      }
    >
      <Select
        label={text.field('dataset_id')}
        placeholder={text('chooseDataset')}
        value={id}
        onChange={setId}
        choices={(data?.data ?? [])
          .filter(({ version }) => version > 1)
          .map(each => ({ value: each.dataset_id, label: each.name ?? each.dataset_id }))}
      />
      {error && <Problem error={error} />}
      {chosen && (
        <p className="mt-3 text-sm text-muted">
          {chosen.recipe
            .map(({ params }) => text.title(typeof params['op'] === 'string' ? params['op'] : 'automatic'))
            .join(' → ')}
        </p>
      )}
    </Dialog>
  );
}

/** Throws when it isn't a list of {type, params}. What the params say, the API checks. */
function readOperations(written: string): Operation[] {
  const value: unknown = JSON.parse(written);
  if (!Array.isArray(value)) throw new Error('[…]');
  return value.map((each: unknown, index) => {
    const { type, params } = (typeof each === 'object' && each !== null ? each : {}) as Record<string, unknown>;
    if (type !== 'clean' && type !== 'transform' && type !== 'enrich')
      throw new Error(`[${index}].type: clean, transform, enrich`);
    if (params !== undefined && (typeof params !== 'object' || params === null || Array.isArray(params)))
      throw new Error(`[${index}].params: {…}`);
    return { type, params: (params ?? {}) as Record<string, unknown> };
  });
}
