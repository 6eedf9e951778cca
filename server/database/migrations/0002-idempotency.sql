-- Answers to requests with an Idempotency-Key, for a day. `id` is a hash of route, API key and Idempotency-Key; `answer` is
-- sealed with the caller's secret, and null while the request runs.
CREATE TABLE idempotency (
  id text PRIMARY KEY,
  content_hash text NOT NULL,
  answer text,
  created_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX idempotency_created_at ON idempotency (created_at);
