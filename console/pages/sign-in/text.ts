// The texts of these pages.
import en from '../../messages/en/sign-in.ts';
import tr from '../../messages/tr/sign-in.ts';

export const files = { en, tr };
