-- Datasets and their versions. A version never changes, and its number is never given again; its file is in the storage under
-- `file`. What is in the storage below datasets/ and is named by neither a version nor a reservation is left over, and removed.
-- json and not jsonb: what people's files hold may have U+0000 in it, which jsonb doesn't take.

CREATE TABLE datasets (
  id text PRIMARY KEY,
  account_id text NOT NULL,
  name text,
  description text,
  -- Of the file that was uploaded.
  format text NOT NULL,
  next_version integer NOT NULL,
  created_at timestamptz NOT NULL,
  updated_at timestamptz NOT NULL
);
CREATE INDEX datasets_of_account ON datasets (account_id, id);

CREATE TABLE dataset_versions (
  dataset_id text NOT NULL REFERENCES datasets ON DELETE CASCADE,
  number integer NOT NULL,
  account_id text NOT NULL,
  file text NOT NULL UNIQUE,
  rows bigint NOT NULL,
  columns json NOT NULL,
  rejected json NOT NULL,
  -- What was decided for the file, for people.
  notes json NOT NULL,
  size_bytes bigint NOT NULL,
  -- What the version takes of the plan's storage.
  counted_bytes bigint NOT NULL,
  sha256 text,
  -- Versions as `ds_x@2`; they may have been deleted since.
  parents json NOT NULL,
  -- All operations that led to the first parent, and those that made this version of it.
  inherited json NOT NULL,
  operations json NOT NULL,
  report json NOT NULL,
  job_id text,
  -- Which part of a split_dataset.
  output text,
  -- Statistics of the columns, once somebody has asked for them.
  profile json,
  created_at timestamptz NOT NULL,
  PRIMARY KEY (dataset_id, number)
);
CREATE INDEX dataset_versions_of_account ON dataset_versions (account_id) INCLUDE (counted_bytes);
-- A job that is done again after its process was killed makes nothing twice.
CREATE UNIQUE INDEX dataset_versions_of_job ON dataset_versions (job_id, coalesce(output, '')) WHERE job_id IS NOT NULL;

-- Storage that is spoken for by what is being made, and the names of the files that it will have. Ends with the process.
CREATE TABLE storage_reservations (
  id text PRIMARY KEY,
  account_id text NOT NULL,
  holder text NOT NULL,
  bytes bigint NOT NULL,
  expires_at timestamptz NOT NULL
);
CREATE INDEX storage_reservations_of_account ON storage_reservations (account_id);
