// All operations, found by their names or what they do.
import { Search } from 'lucide-react';
import { useState } from 'react';
import { Dialog } from '../../../ui/dialog.tsx';
import { classes } from '../../../ui/classes.ts';
import { controlClasses } from '../../../ui/field.tsx';
import { type Family, operationKinds } from '../operations/catalog.ts';
import { useOperationText } from './text.ts';

interface AddStepProps {
  open: boolean;
  onClose: () => void;
  onAdd: (family: Family, op: string) => void;
}

export function AddStep({ open, onClose, onAdd }: AddStepProps) {
  const text = useOperationText();
  const [words, setWords] = useState('');
  const fits = (op: string) => {
    const whole = `${text.title(op)} ${text.about(op)} ${op.replaceAll('_', ' ')}`.toLocaleLowerCase();
    return words
      .toLocaleLowerCase()
      .split(/\s+/)
      .every(word => whole.includes(word));
  };
  const found = operationKinds.filter(({ op }) => fits(op));
  const groups = [
    { title: text('mostUsed'), kinds: words === '' ? found.filter(({ common }) => common) : [] },
    ...(['clean', 'transform', 'enrich'] as const).map(family => ({
      title: text(family),
      kinds: found.filter(kind => kind.family === family && (words !== '' || !kind.common)),
    })),
  ].filter(({ kinds }) => kinds.length > 0);
  const add = (family: Family, op: string) => {
    onAdd(family, op);
    setWords('');
    onClose();
  };
  return (
    <Dialog open={open} onClose={onClose} wide title={text('addStep')}>
      <div className="sticky -top-5 z-10 -mx-6 -mt-5 bg-raised px-6 pt-5 pb-3">
        <div className="relative">
          <Search aria-hidden="true" className="absolute top-2.5 left-3 size-4 text-faint" />
          <input
            type="search"
            // The dialog is opened to look for something.
            // oxlint-disable-next-line jsx-a11y/no-autofocus
            autoFocus
            aria-label={text('searchOperations')}
            placeholder={text('searchOperations')}
            value={words}
            onChange={event => setWords(event.target.value)}
            onKeyDown={event => {
              const [first] = groups[0]?.kinds ?? [];
              if (event.key === 'Enter' && first && words !== '') add(first.family, first.op);
            }}
            className={classes(controlClasses, 'h-9 pl-9')}
          />
        </div>
      </div>
      {groups.length === 0 && <p className="py-6 text-center text-muted">{text('nothingFound')}</p>}
      <div className="flex flex-col gap-5">
        {groups.map(({ title, kinds }) => (
          <section key={title} aria-label={title}>
            <h3 className="mb-1.5 text-sm font-medium text-muted">{title}</h3>
            <ul className="grid gap-1.5 sm:grid-cols-2">
              {kinds.map(({ family, op }) => (
                <li key={`${family} ${op}`}>
                  <button
                    type="button"
                    onClick={() => add(family, op)}
                    className="h-full w-full rounded-md border border-line px-3 py-2 text-left transition-colors hover:border-line-strong hover:bg-hover"
                  >
                    <span className="block font-medium">{text.title(op)}</span>
                    <span className="block text-sm text-muted">{text.about(op)}</span>
                  </button>
                </li>
              ))}
            </ul>
          </section>
        ))}
      </div>
    </Dialog>
  );
}
