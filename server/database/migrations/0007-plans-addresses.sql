-- Plans that the operator makes and changes in the console, e-mail addresses that people confirm, further accounts of a person, and how
-- the server did over time.

-- What differs from plans.json, in that file's shape without the name. A plan is retired and never deleted.
CREATE TABLE plans (
  name text PRIMARY KEY,
  definition jsonb NOT NULL,
  retired boolean NOT NULL DEFAULT false,
  created_at timestamptz NOT NULL
);

-- Single settings that the operator changes in the console.
CREATE TABLE server_options (
  name text PRIMARY KEY,
  value jsonb NOT NULL
);

-- The open link of a person: to the address of now, or to one that it is to become.
CREATE TABLE confirmations (
  person_id text PRIMARY KEY REFERENCES people ON DELETE CASCADE,
  email text NOT NULL,
  token_hash bytea NOT NULL UNIQUE,
  expires_at timestamptz NOT NULL
);

-- An invitation's token that went by mail alone: who has it has the address.
ALTER TABLE invitations ADD COLUMN mailed_hash bytea UNIQUE;

-- Made by a person who had an account: it has the person's e-mail address too.
ALTER TABLE accounts DROP CONSTRAINT accounts_email_key, ADD COLUMN added boolean NOT NULL DEFAULT false;
CREATE UNIQUE INDEX accounts_email ON accounts (email) WHERE NOT added;

-- How a server process did in a minute; `point` as server/operator/series.ts has it.
CREATE TABLE server_minutes (
  at timestamptz NOT NULL,
  process text NOT NULL,
  point json NOT NULL,
  PRIMARY KEY (at, process)
);
