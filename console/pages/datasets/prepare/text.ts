// Texts about operations: their names, what they do, and their parameters.
import { useMemo } from 'react';
import en from '../../../messages/en/operations.ts';
import { type Text, useText } from '../../../messages/index.ts';
import tr from '../../../messages/tr/operations.ts';

const files = { en, tr };

export type OperationText = Text<typeof en> & {
  /** Of an operation; its own name where there is no better one. */
  title: (op: string) => string;
  about: (op: string) => string;
  field: (name: string) => string;
  /** One of the values that a parameter may have. */
  choice: (value: string) => string;
};

export function useOperationText(): OperationText {
  const text = useText(files);
  return useMemo(() => {
    const plain = text as (key: string) => string;
    const known = (key: string) => (Object.hasOwn(en, key) ? plain(key) : null);
    const wrapped: Text<typeof en> = (key, ...values) => text(key, ...values);
    return Object.assign(wrapped, {
      title: (op: string) => known(`op_${op}`) ?? op,
      about: (op: string) => known(`about_${op}`) ?? '',
      field: (name: string) => known(`field_${name}`) ?? name,
      choice: (value: string) => known(`choice_${value}`) ?? value.replaceAll('_', ' '),
    });
  }, [text]);
}
