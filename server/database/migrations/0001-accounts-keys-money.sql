-- People, their keys, their money and what they used. Amounts are picodollars: 1 USD = 10^12, so a bigint holds nine
-- million dollars. Identifiers of rows that can be written twice by a retry are chosen by the program.

CREATE TABLE accounts (
  id text PRIMARY KEY,
  email text NOT NULL UNIQUE,
  plan text NOT NULL,
  limits jsonb,
  default_model text NOT NULL,
  billed boolean NOT NULL,
  balance_picodollars bigint NOT NULL DEFAULT 0,
  credited_month date,
  created_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE keys (
  id text PRIMARY KEY,
  account_id text NOT NULL REFERENCES accounts,
  hash bytea NOT NULL UNIQUE,
  hint text NOT NULL,
  name text NOT NULL,
  admin boolean NOT NULL,
  scopes jsonb,
  models jsonb,
  budget_picodollars bigint,
  spent_month date,
  spent_picodollars bigint NOT NULL DEFAULT 0,
  created_at timestamptz NOT NULL DEFAULT now(),
  expires_at timestamptz,
  revoked_at timestamptz,
  last_used_at timestamptz
);
CREATE INDEX keys_of_account ON keys (account_id);

-- One row a request. Kept as long as the retention setting says; usage_hours keeps its sums for ever.
-- No foreign keys here and below: accounts and keys are never deleted, and a check for every row would cost more than the row.
CREATE TABLE usage (
  id uuid PRIMARY KEY,
  at timestamptz NOT NULL,
  request_id text NOT NULL,
  account_id text NOT NULL,
  key_id text NOT NULL,
  route text NOT NULL,
  model text NOT NULL,
  tokens bigint NOT NULL,
  cost_picodollars bigint NOT NULL,
  duration_ms double precision NOT NULL
);
CREATE INDEX usage_of_account ON usage (account_id, at);
CREATE INDEX usage_at ON usage (at);

CREATE TABLE usage_hours (
  account_id text NOT NULL,
  hour timestamptz NOT NULL,
  key_id text NOT NULL,
  model text NOT NULL,
  requests bigint NOT NULL,
  tokens bigint NOT NULL,
  cost_picodollars bigint NOT NULL,
  duration_ms double precision NOT NULL,
  PRIMARY KEY (account_id, hour, key_id, model)
);
CREATE INDEX usage_hours_hour ON usage_hours (hour);

-- Only grows, but that old charges of a day become one entry; accounts.balance_picodollars is its sum. A charge has the id of its usage row, so it can't be booked twice.
CREATE TABLE ledger (
  id uuid PRIMARY KEY,
  at timestamptz NOT NULL,
  account_id text NOT NULL,
  kind text NOT NULL CHECK (kind IN ('opening', 'sign_up', 'monthly', 'credit', 'usage', 'usage_of_day')),
  amount_picodollars bigint NOT NULL,
  note text NOT NULL DEFAULT ''
);
CREATE INDEX ledger_of_account ON ledger (account_id, at);
CREATE UNIQUE INDEX ledger_one_sum_a_day ON ledger (account_id, at) WHERE kind = 'usage_of_day';
CREATE UNIQUE INDEX ledger_one_grant_a_month ON ledger (account_id, note) WHERE kind = 'monthly';

-- Money that one server process has set aside for requests in flight, out of an account's balance or a key's monthly budget.
CREATE TABLE leases (
  purse text NOT NULL,
  holder text NOT NULL,
  amount_picodollars bigint NOT NULL,
  expires_at timestamptz NOT NULL,
  -- The holder's last batch of returns, so that a batch which is written twice counts once.
  returned_batch bigint NOT NULL DEFAULT 0,
  PRIMARY KEY (purse, holder)
);

-- Requests counted in the current fixed windows of a key: the minute, and the hour or day beside it.
CREATE TABLE limit_windows (
  key_id text NOT NULL,
  family text NOT NULL,
  minute_started_at timestamptz NOT NULL,
  minute_count integer NOT NULL,
  long_started_at timestamptz NOT NULL,
  long_count integer NOT NULL,
  PRIMARY KEY (key_id, family)
);
