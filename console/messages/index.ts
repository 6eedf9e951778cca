// Texts of the console by key and language: a page brings its own file for each language, and keys and values are typed by the English one.
import { useMemo } from 'react';
import { type Language, usePreferences } from '../preferences.ts';

/** Written once for each plural form of the language. */
export interface Plural {
  one?: string;
  other: string;
}

export type Messages = Readonly<Record<string, string | Plural>>;

/** What a file of another language must have. */
export type Translation<English extends Messages> = {
  readonly [Key in keyof English]: English[Key] extends string ? string : Plural;
};

/** The names in braces of a text. */
type Names<Form extends string> = Form extends `${string}{${infer Name}}${infer Rest}` ? Name | Names<Rest> : never;
type NamesOf<Entry> = Entry extends string
  ? Names<Entry>
  : Entry extends { other: infer Other extends string }
    ? Names<Other> | 'count'
    : never;
type Values<Entry> = [NamesOf<Entry>] extends [never] ? [] : [values: Record<NamesOf<Entry>, string | number>];

export type Text<English extends Messages> = <Key extends keyof English>(
  key: Key,
  ...values: Values<English[Key]>
) => string;

/** The texts of a page in the person's language: `text('title')`, `text('rows', { count: 3 })`. */
export function useText<const English extends Messages>(files: {
  en: English;
  tr: Translation<English>;
}): Text<English> {
  const { language } = usePreferences();
  return useMemo(
    () =>
      (key, ...values) =>
        write(files[language][key] ?? String(key), values[0] ?? {}, language),
    [files, language],
  );
}

/** Fills the names in braces; numbers are written as the language writes them. */
export function write(
  entry: string | Plural,
  values: Readonly<Record<string, string | number>>,
  language: Language,
): string {
  const form = typeof entry === 'string' ? entry : pluralForm(entry, Number(values['count']), language);
  return form.replaceAll(/\{(\w+)\}/g, (whole, name: string) => {
    const value = values[name];
    return typeof value === 'number' ? numbers(language).format(value) : (value ?? whole);
  });
}

function pluralForm(entry: Plural, count: number, language: Language): string {
  return (plurals(language).select(count) === 'one' ? entry.one : undefined) ?? entry.other;
}

const numbers = memoised(language => new Intl.NumberFormat(language));
const plurals = memoised(language => new Intl.PluralRules(language));

function memoised<Value>(make: (language: Language) => Value): (language: Language) => Value {
  const made = new Map<Language, Value>();
  return language => {
    const value = made.get(language) ?? make(language);
    made.set(language, value);
    return value;
  };
}
