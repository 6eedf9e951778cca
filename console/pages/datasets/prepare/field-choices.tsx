// What a parameter names of the account: another dataset, an encoder, a trained model.
import { useRoute } from '../../../api/index.ts';
import { Field } from '../../../ui/field.tsx';
import { Select } from '../../../ui/select.tsx';
import { useEncoders } from '../../playground/settings.tsx';
import { useOperationText } from './text.ts';

interface ChoiceProps {
  label: string;
  value: string;
  onChange: (value: unknown) => void;
}

export function DatasetChoice({ label, value, onChange, without }: ChoiceProps & { without: string }) {
  const text = useOperationText();
  const { data } = useRoute('listDatasets');
  const others = (data?.data ?? []).filter(({ dataset_id: id }) => id !== without);
  if (data && others.length === 0)
    return (
      <Field label={label}>
        {tie => (
          <output {...tie} className="text-sm text-muted">
            {text('noDatasets')}
          </output>
        )}
      </Field>
    );
  return (
    <Select
      label={label}
      value={value}
      onChange={onChange}
      choices={others.map(({ dataset_id: id, name }) => ({ value: id, label: name ?? id }))}
    />
  );
}

export function EncoderChoice({ label, value, onChange }: ChoiceProps) {
  const text = useOperationText();
  const { encoders } = useEncoders(null);
  return (
    <Select
      label={label}
      value={value}
      onChange={model => onChange(model === '' ? undefined : model)}
      choices={[
        { value: '', label: text('notSaid') },
        ...encoders
          .filter(({ allowed, state }) => allowed !== false && state !== 'absent')
          .map(({ alias }) => ({ value: alias, label: alias })),
      ]}
    />
  );
}

export function ModelChoice({ label, value, onChange }: ChoiceProps) {
  const text = useOperationText();
  const { data } = useRoute('listTrainedModels');
  const ready = (data?.data ?? []).filter(({ status, model_type: type }) => status === 'succeeded' && type !== 'llm');
  if (data && ready.length === 0)
    return (
      <Field label={label}>
        {tie => (
          <output {...tie} className="text-sm text-muted">
            {text('noModels')}
          </output>
        )}
      </Field>
    );
  return (
    <Select
      label={label}
      value={value}
      onChange={onChange}
      choices={ready.map(({ model_id: id, name, target }) => ({
        value: id,
        label: name ?? id,
        about: target ?? undefined,
      }))}
    />
  );
}
