// A new key's secret, shown this once: it is only in this component's memory, and gone when the dialog closes.
import type { Answer } from '../../api/index.ts';
import { Button } from '../../ui/button.tsx';
import { CodeBlock, CopyLine } from '../../ui/copy.tsx';
import { Dialog } from '../../ui/dialog.tsx';
import { useKeysText } from './text.ts';

export type MadeKey = Answer<'createOwnKey'>;

export function ShowSecret({ made, onClose }: { made: MadeKey; onClose: () => void }) {
  const text = useKeysText();
  // The secret itself stays out of the sample, so that it is on the page once.
  const sample = `curl ${location.origin}/vectorize \\
  -H "Authorization: Bearer $VECTORIUM_API_KEY" \\
  -H "Content-Type: application/json" \\
  -d '{"text": "Hello"}'`;
  return (
    <Dialog
      open
      firm
      onClose={onClose}
      title={text('secretTitle')}
      description={text('secretAbout')}
      actions={
        <Button look="primary" onClick={onClose}>
          {text('secretDone')}
        </Button>
      }
    >
      <CopyLine value={made.api_key} label={text('secretCopy')} />
      {(made.key.scopes === null || made.key.scopes.includes('vectors')) && (
        <>
          <h3 className="mt-5 mb-2 text-sm font-medium">{text('tryIt')}</h3>
          <CodeBlock label={text('tryIt')} code={sample} />
        </>
      )}
    </Dialog>
  );
}
