-- Jobs as people read them, and what they need to go on after a kill. Whose turn it is lives in pg-boss's own schema, which can be
-- made again from here.

CREATE TABLE jobs (
  id text PRIMARY KEY,
  account_id text NOT NULL,
  key_id text NOT NULL,
  kind text NOT NULL,
  status text NOT NULL CHECK (status IN ('queued', 'running', 'succeeded', 'failed', 'cancelled')),
  progress double precision NOT NULL DEFAULT 0,
  -- json and not jsonb: the order of keys comes back as it was given.
  input json NOT NULL,
  result json,
  error json,
  checkpoint json,
  -- A queued job with a ticket stands in pg-boss's queue; one without waits until its account has room.
  ticket boolean NOT NULL DEFAULT false,
  cancel_requested boolean NOT NULL DEFAULT false,
  -- Counts the times that a process took it up; who wrote with an older number has lost the job.
  attempts integer NOT NULL DEFAULT 0,
  -- Processes that died with it since its last checkpoint.
  deaths integer NOT NULL DEFAULT 0,
  created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  started_at timestamptz,
  finished_at timestamptz
);
CREATE INDEX jobs_of_account ON jobs (account_id, id);
CREATE INDEX jobs_open ON jobs (account_id, status) WHERE status IN ('queued', 'running');
CREATE INDEX jobs_finished_at ON jobs (finished_at) WHERE finished_at IS NOT NULL;

-- What those who follow a job see, numbered from 1 without gaps.
CREATE TABLE job_events (
  job_id text NOT NULL,
  number integer NOT NULL,
  at timestamptz NOT NULL,
  type text NOT NULL,
  data json NOT NULL,
  PRIMARY KEY (job_id, number)
);

-- Where an account wants to hear of jobs that ended. The secret signs, so it can't be a hash.
CREATE TABLE webhooks (
  account_id text PRIMARY KEY,
  url text NOT NULL,
  secret text NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now()
);

-- What has not arrived there yet. The id stays through the tries, so that a receiver knows a repetition.
CREATE TABLE webhook_deliveries (
  id text PRIMARY KEY,
  account_id text NOT NULL,
  job_id text NOT NULL,
  tries integer NOT NULL DEFAULT 0,
  next_at timestamptz NOT NULL
);
CREATE INDEX webhook_deliveries_next_at ON webhook_deliveries (next_at);
