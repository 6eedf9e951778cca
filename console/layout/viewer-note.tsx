// Tells a viewer, where others would press a button, why nothing can be pressed.
import { Eye } from 'lucide-react';
import { useSession } from '../api/index.ts';
import { useCommonText } from '../messages/common.ts';

export function ViewerNote() {
  const text = useCommonText();
  const { role } = useSession();
  if (role !== 'viewer') return null;
  return (
    <p className="flex items-center gap-3 rounded-lg bg-warn-soft px-4 py-2.5">
      <Eye aria-hidden="true" className="size-4 shrink-0 text-warn" />
      {text('viewerNote')}
    </p>
  );
}
