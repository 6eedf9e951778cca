// The language of a text, as ISO 639-1 has it.
import { eld } from 'eld';

/** More tells no more, and takes time. */
const mostCharacters = 2000;

/** Must have come back before `languageOf` is called. */
export async function loadLanguages(): Promise<void> {
  if ('load' in eld) await eld.load('small');
}

/** Null where no language is likely. */
export function languageOf(text: string): string | null {
  const found = eld.detect(text.slice(0, mostCharacters)).language;
  return found === '' ? null : found;
}
