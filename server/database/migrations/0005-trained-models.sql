-- Models that accounts trained, and names for them. A model is there from the request on; its files (below `folder` of the storage) and
-- its card come in the transaction that makes it ready, and never change. What is in the storage below models/ and is named by neither
-- a model nor a reservation is left over, and removed. How far a training is, its job knows.
-- json and not jsonb: labels and columns may have U+0000 in them, which jsonb doesn't take.

CREATE TABLE trained_models (
  id text PRIMARY KEY,
  account_id text NOT NULL,
  job_id text NOT NULL UNIQUE,
  name text,
  -- classification, regression
  type text NOT NULL,
  -- As `ds_x@2`; the version may have been deleted since.
  dataset text NOT NULL,
  -- As the request has it.
  config json NOT NULL,
  created_at timestamptz NOT NULL,
  -- From here on: of a model that is ready.
  ready_at timestamptz,
  folder text UNIQUE,
  card json,
  -- A row of the data, as it is predicted.
  example json,
  counted_bytes bigint NOT NULL DEFAULT 0,
  cost_picodollars bigint
);
CREATE INDEX trained_models_of_account ON trained_models (account_id, id) INCLUDE (counted_bytes);

CREATE TABLE model_aliases (
  account_id text NOT NULL,
  -- churn@production
  alias text NOT NULL,
  model_id text NOT NULL REFERENCES trained_models,
  updated_at timestamptz NOT NULL,
  PRIMARY KEY (account_id, alias)
);
CREATE INDEX model_aliases_of_model ON model_aliases (model_id);
