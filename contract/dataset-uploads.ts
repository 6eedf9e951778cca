// The routes by which files come in: JSON and forms, a raw body, and uploads that can be resumed.
import { z } from 'zod';
import { bothSpellings, data, dataset, description, exampleDataset, format, name } from './dataset-shapes.ts';
import { optional } from './fields.ts';
import { defineRoute } from './route.ts';

const uploadForm = z.object({
  file: z.file(),
  format,
  name: optional(name),
  description: optional(description),
  options: optional(z.string().meta({ description: 'JSON.' })),
  metadata: optional(z.string().meta({ description: 'JSON.' })),
});

export const uploadDataset = defineRoute({
  ...data,
  ...bothSpellings('/api/v2/data/upload'),
  id: 'uploadDataset',
  method: 'POST',
  family: 'data',
  summary: 'Upload a file and make a dataset of it',
  description:
    'The file as base64 in JSON, or as a part of a form; up to 5 GiB decoded. Its bytes are read as they arrive, keys and parts may come in any order; a key that comes twice is refused, unknown ones are ignored. The base64 needs its padding; the URL-safe alphabet, line breaks and a `data:` URL are taken too. The answer comes when the dataset is ready.',
  streamed: true,
  bodies: { 'multipart/form-data': uploadForm },
  body: z.object({
    file: z.string().min(1).meta({ description: 'The file as base64.' }),
    format,
    options: optional(
      z.record(z.string(), z.unknown()).meta({
        description: 'How the file is to be read: `on_error`, and the dialect, pattern or widths of `custom`.',
      }),
    ),
    metadata: optional(z.object({ name: optional(name), description: optional(description) })),
  }),
  answer: dataset,
  errors: ['INVALID_FILE', 'STORAGE_QUOTA_EXCEEDED'],
  idempotent: true,
  example: {
    body: {
      file: 'bmFtZSxhZ2UKQWRhLDM2CkJvYiwK',
      format: 'csv',
      metadata: { name: 'customers', description: 'From the shop' },
    },
    answer: exampleDataset,
  },
});

export const putDataset = defineRoute({
  ...data,
  ...bothSpellings('/api/v2/data/upload'),
  id: 'putDataset',
  method: 'PUT',
  family: 'data',
  summary: 'Upload a file as the body itself and make a dataset of it',
  description: 'Of any Content-Type, up to 5 GiB, with or without Content-Length.',
  streamed: true,
  bodies: { 'application/octet-stream': z.file() },
  query: uploadForm.omit({ file: true }),
  answer: dataset,
  errors: ['INVALID_FILE', 'STORAGE_QUOTA_EXCEEDED'],
  idempotent: true,
  example: { answer: exampleDataset },
});

/** The tus protocol; what its answers have is in their headers. */
const resumable = {
  ...data,
  family: 'data',
  answer: z.unknown(),
  errors: ['NOT_FOUND', 'BAD_REQUEST'],
} as const;
const uploadId = z.object({ id: z.string().max(100) });

export const createResumableUpload = defineRoute({
  ...resumable,
  ...bothSpellings('/api/v2/data/uploads'),
  id: 'createResumableUpload',
  method: 'POST',
  summary: 'Begin an upload that can be resumed (tus 1.0)',
  description:
    "With `Tus-Resumable: 1.0.0`, `Upload-Length`, and `Upload-Metadata` of `format`, `name`, `description`, `options` and `metadata` (the last two are JSON). Answers 201 with the upload's address in `Location`; any tus client does all this. The body may have the first bytes. An unfinished upload is kept for a day.",
  streamed: true,
  bodies: { 'application/offset+octet-stream': z.file() },
  errors: [...resumable.errors, 'INVALID_FILE', 'STORAGE_QUOTA_EXCEEDED'],
});

export const getResumableUpload = defineRoute({
  ...resumable,
  ...bothSpellings('/api/v2/data/uploads/{id}'),
  id: 'getResumableUpload',
  method: 'HEAD',
  family: 'read',
  summary: 'How much of an upload has arrived (`Upload-Offset`)',
  params: uploadId,
});

export const continueResumableUpload = defineRoute({
  ...resumable,
  ...bothSpellings('/api/v2/data/uploads/{id}'),
  id: 'continueResumableUpload',
  method: 'PATCH',
  family: 'read',
  summary: 'Send the bytes from `Upload-Offset` on',
  description:
    'Answers 204 with the new `Upload-Offset`; the last bytes are answered with the dataset (200, as `uploadDataset`). With `Upload-Checksum`, bytes that have another are answered with 460 and not kept. Counted as reading, so that a file in many pieces is one upload of the plan.',
  streamed: true,
  bodies: { 'application/offset+octet-stream': z.file() },
  params: uploadId,
  errors: [...resumable.errors, 'INVALID_FILE', 'STORAGE_QUOTA_EXCEEDED', 'CONFLICT'],
});

export const deleteResumableUpload = defineRoute({
  ...resumable,
  ...bothSpellings('/api/v2/data/uploads/{id}'),
  id: 'deleteResumableUpload',
  method: 'DELETE',
  summary: 'Give an upload up',
  description: 'Answers 204. The dataset of a finished upload stays.',
  params: uploadId,
});
