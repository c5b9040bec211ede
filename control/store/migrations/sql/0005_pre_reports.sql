-- Whether an operator decided on reports by mail; where none did, the profile decides.
ALTER TABLE tenant ADD COLUMN dsn_set boolean NOT NULL DEFAULT false;
UPDATE tenant SET dsn_set = true WHERE dsn;
