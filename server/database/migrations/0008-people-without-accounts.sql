-- People who are in no account any more.

-- Whether a person has been brought into an account, which signing up does once.
ALTER TABLE people ADD COLUMN settled boolean NOT NULL DEFAULT false;
UPDATE people SET settled = true;
