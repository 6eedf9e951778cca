-- People who are in no account any more, and what they leave.

-- Whether a person has been brought into an account, which signing up does once.
ALTER TABLE people ADD COLUMN settled boolean NOT NULL DEFAULT false;
UPDATE people SET settled = true;

-- Who made it: it ends when he may no longer make such.
ALTER TABLE invitations ADD COLUMN invited_by text REFERENCES people ON DELETE CASCADE;
