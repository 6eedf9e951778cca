// The fields beside the file: the same checks for every door.
import { check, routes } from '@vectorium/contract';
import { accept, ApiError } from '../http/index.ts';
import type { UploadFields } from './types.ts';

const shape = routes.uploadDataset.body.omit({ file: true });

/** Throws ApiError. */
export function checkFields(given: Record<string, unknown>): UploadFields {
  const { format, options, metadata } = accept(check(shape, given)) as ReturnType<typeof shape.parse>;
  if (!isStorable(options))
    throw new ApiError('INVALID_PARAMETER', {
      message: 'options has characters that no text has (NUL, or half of a surrogate pair)',
      param: 'options',
    });
  const { name, description } = metadata ?? {};
  return {
    format,
    options: options ?? {},
    metadata: { ...(name != null && { name }), ...(description != null && { description }) },
    name: name ?? null,
    description: description ?? null,
  };
}

/** The same from fields that are texts: of a form or of an address. `options` and `metadata` are JSON. */
export function checkTexts(given: ReadonlyMap<string, string>): UploadFields {
  const metadata = parsed(given, 'metadata') ?? {};
  if (typeof metadata !== 'object' || Array.isArray(metadata))
    throw new ApiError('VALIDATION_ERROR', { message: 'metadata must be an object', param: 'metadata' });
  const name = given.get('name');
  const description = given.get('description');
  return checkFields({
    format: given.get('format'),
    options: parsed(given, 'options'),
    metadata: { ...metadata, ...(name !== undefined && { name }), ...(description !== undefined && { description }) },
  });
}

function parsed(given: ReadonlyMap<string, string>, field: string): unknown {
  const text = given.get(field);
  if (text === undefined) return undefined;
  try {
    return JSON.parse(text);
  } catch {
    throw new ApiError('INVALID_PARAMETER', { message: `${field} is not JSON`, param: field });
  }
}

/** PostgreSQL's texts have neither NUL nor lone surrogates. */
function isStorable(value: unknown): boolean {
  if (typeof value === 'string') return value.isWellFormed() && !value.includes('\0');
  if (typeof value !== 'object' || value === null) return true;
  return Object.entries(value).every(([key, inner]) => isStorable(key) && isStorable(inner));
}
