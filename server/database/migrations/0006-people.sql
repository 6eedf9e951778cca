-- People, how they sign in and which accounts they belong to; what they changed; monthly budgets with their alerts. The first four
-- tables are better-auth's (server/people/adapter.ts gives its fields these names).

CREATE TABLE people (
  id text PRIMARY KEY,
  name text NOT NULL,
  email text NOT NULL UNIQUE,
  email_verified boolean NOT NULL DEFAULT false,
  image text,
  language text NOT NULL DEFAULT 'en',
  created_at timestamptz NOT NULL,
  updated_at timestamptz NOT NULL
);

-- A password's hash, or what an OpenID provider calls the person.
CREATE TABLE credentials (
  id text PRIMARY KEY,
  person_id text NOT NULL REFERENCES people ON DELETE CASCADE,
  provider text NOT NULL,
  subject text NOT NULL,
  password text,
  access_token text,
  refresh_token text,
  id_token text,
  access_token_expires_at timestamptz,
  refresh_token_expires_at timestamptz,
  scope text,
  created_at timestamptz NOT NULL,
  updated_at timestamptz NOT NULL
);
CREATE INDEX credentials_of_person ON credentials (person_id);
CREATE UNIQUE INDEX credentials_once ON credentials (provider, subject);

CREATE TABLE sessions (
  id text PRIMARY KEY,
  -- Hashes of what is in cookies: who reads the database can't act as anybody.
  token text NOT NULL UNIQUE,
  person_id text NOT NULL REFERENCES people ON DELETE CASCADE,
  expires_at timestamptz NOT NULL,
  address text,
  user_agent text,
  created_at timestamptz NOT NULL,
  updated_at timestamptz NOT NULL
);
CREATE INDEX sessions_of_person ON sessions (person_id);
CREATE INDEX sessions_expires_at ON sessions (expires_at);

-- Links that reset passwords, and sign-ins by OpenID Connect that are under way. `identifier` is a hash where it is a secret.
CREATE TABLE verifications (
  id text PRIMARY KEY,
  identifier text NOT NULL,
  value text NOT NULL,
  expires_at timestamptz NOT NULL,
  created_at timestamptz NOT NULL,
  updated_at timestamptz NOT NULL
);
CREATE INDEX verifications_identifier ON verifications (identifier);
CREATE INDEX verifications_expires_at ON verifications (expires_at);

-- Tries to sign in, to sign up or to reset, by address and by e-mail address (hashes), counted in fixed windows.
CREATE TABLE attempts (
  subject text PRIMARY KEY,
  count integer NOT NULL,
  ends_at timestamptz NOT NULL
);

-- Random secrets that all server processes share.
CREATE TABLE server_secrets (
  name text PRIMARY KEY,
  secret text NOT NULL
);

ALTER TABLE accounts
  ADD COLUMN name text NOT NULL DEFAULT '',
  -- {name, address, tax_id} for invoices.
  ADD COLUMN billing jsonb,
  ADD COLUMN budget_picodollars bigint,
  ADD COLUMN budget_hard boolean NOT NULL DEFAULT false,
  ADD COLUMN budget_mail boolean NOT NULL DEFAULT true,
  ADD COLUMN budget_webhook boolean NOT NULL DEFAULT false,
  -- What was spent in the newest month with any use.
  ADD COLUMN spent_month date,
  ADD COLUMN spent_picodollars bigint NOT NULL DEFAULT 0,
  -- While it is being deleted; a start goes on with that.
  ADD COLUMN deleting_since timestamptz;
UPDATE accounts SET name = email;
UPDATE accounts SET spent_month = spent.month, spent_picodollars = spent.amount
FROM (
  SELECT account_id, date_trunc('month', now() AT TIME ZONE 'UTC')::date AS month, sum(cost_picodollars)::bigint AS amount
  FROM usage_hours WHERE hour >= date_trunc('month', now(), 'UTC') GROUP BY account_id) AS spent
WHERE accounts.id = spent.account_id;

CREATE TABLE members (
  account_id text NOT NULL REFERENCES accounts ON DELETE CASCADE,
  person_id text NOT NULL REFERENCES people ON DELETE CASCADE,
  role text NOT NULL CHECK (role IN ('viewer', 'member', 'owner')),
  created_at timestamptz NOT NULL,
  PRIMARY KEY (account_id, person_id)
);
CREATE INDEX members_of_person ON members (person_id);

-- Into an account, or, without one, to sign up with an account of one's own; without an address, for whoever has the link.
CREATE TABLE invitations (
  id text PRIMARY KEY,
  account_id text REFERENCES accounts ON DELETE CASCADE,
  email text,
  role text CHECK (role IN ('viewer', 'member', 'owner')),
  plan text,
  token_hash bytea NOT NULL UNIQUE,
  created_at timestamptz NOT NULL,
  expires_at timestamptz NOT NULL
);
CREATE UNIQUE INDEX invitations_once ON invitations (coalesce(account_id, ''), email);

-- Who changed what. Names of people are looked up; a person who is deleted leaves an id.
CREATE TABLE audit (
  id uuid PRIMARY KEY,
  at timestamptz NOT NULL,
  account_id text,
  person_id text,
  action text NOT NULL,
  target text NOT NULL,
  details jsonb NOT NULL,
  address text
);
CREATE INDEX audit_of_account ON audit (account_id, id);
CREATE INDEX audit_at ON audit (at);

ALTER TABLE keys
  ADD COLUMN made_by text,
  -- The key that meters what a person does in the console: nobody has its secret, and no list shows it.
  ADD COLUMN session_of text;
CREATE UNIQUE INDEX keys_of_sessions ON keys (account_id, session_of) WHERE session_of IS NOT NULL;

-- Which part of a month's budget was passed, and whether its owners have been told.
CREATE TABLE budget_alerts (
  account_id text NOT NULL REFERENCES accounts ON DELETE CASCADE,
  month date NOT NULL,
  percent integer NOT NULL,
  at timestamptz NOT NULL,
  -- When it is to be told by mail; null when that is done.
  mail_at timestamptz,
  tries integer NOT NULL DEFAULT 0,
  PRIMARY KEY (account_id, month, percent)
);
CREATE INDEX budget_alerts_mail_at ON budget_alerts (mail_at) WHERE mail_at IS NOT NULL;

-- A webhook is told of a job or of an event, whose body is kept here.
ALTER TABLE webhook_deliveries ALTER COLUMN job_id DROP NOT NULL, ADD COLUMN event json;

ALTER TABLE ledger DROP CONSTRAINT ledger_kind_check;
ALTER TABLE ledger ADD CONSTRAINT ledger_kind_check
  CHECK (kind IN ('opening', 'sign_up', 'monthly', 'credit', 'payment', 'usage', 'usage_of_day'));
CREATE INDEX ledger_without_usage ON ledger (account_id, at, id) WHERE kind NOT IN ('usage', 'usage_of_day');
