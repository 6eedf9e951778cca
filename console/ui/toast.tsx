// Short messages at the edge of the page: done, or why not.
import { Toast } from '@base-ui/react/toast';
import { CircleAlert, CircleCheck, X } from 'lucide-react';
import { useCommonText } from '../messages/common.ts';

const manager = Toast.createToastManager();

/** Says that something was done. */
export function toast(title: string, description?: string): void {
  manager.add({ title, type: 'good', ...(description && { description }) });
}

/** Says what went wrong, in the API's own words. */
export function toastProblem(problem: Error): void {
  manager.add({ title: problem.message, type: 'bad', timeout: 10_000, priority: 'high' });
}

export function Toasts() {
  return (
    <Toast.Provider toastManager={manager} timeout={4000} limit={3}>
      <Toast.Portal>
        <Toast.Viewport className="fixed inset-x-4 bottom-4 z-60 mx-auto flex max-w-sm flex-col gap-2 outline-none sm:right-6 sm:bottom-6 sm:left-auto sm:mx-0 sm:w-96">
          <List />
        </Toast.Viewport>
      </Toast.Portal>
    </Toast.Provider>
  );
}

function List() {
  const { toasts } = Toast.useToastManager();
  const text = useCommonText();
  return toasts.map(each => (
    <Toast.Root
      key={each.id}
      toast={each}
      className="flex items-start gap-3 rounded-lg bg-raised px-4 py-3 shadow-layer transition-all duration-200 data-ending-style:translate-y-2 data-ending-style:opacity-0 data-starting-style:translate-y-2 data-starting-style:opacity-0"
    >
      {each.type === 'bad' ? (
        <CircleAlert aria-hidden="true" className="mt-0.5 size-4.5 shrink-0 text-bad" />
      ) : (
        <CircleCheck aria-hidden="true" className="mt-0.5 size-4.5 shrink-0 text-good" />
      )}
      <div className="min-w-0 flex-1 break-words">
        <Toast.Title className="font-medium" />
        <Toast.Description className="text-sm text-muted" />
      </div>
      <Toast.Close aria-label={text('close')} className="-mr-1 rounded-sm p-0.5 text-faint hover:text-ink">
        <X className="size-4" />
      </Toast.Close>
    </Toast.Root>
  ));
}
