-- Keys that share what they have left of the plan's limits, and owners that have been told of a budget.

-- The key whose limit windows this one goes on with; null: its own.
ALTER TABLE keys ADD COLUMN counts_as text;
-- Keys that were made within an hour are counted.
CREATE INDEX keys_of_account_by_time ON keys (account_id, created_at);

-- E-mail addresses that a mail which is tried again doesn't go to.
ALTER TABLE budget_alerts ADD COLUMN mailed jsonb NOT NULL DEFAULT '[]';
