-- A person's session in a browser: its cookie is good while the row is, and while it is used.
-- A digest of the cookie; NULL: a session of tokens, which has none.
ALTER TABLE session ADD COLUMN cookie bytea;
-- When it was used last, to within half a minute; NULL: of tokens.
ALTER TABLE session ADD COLUMN seen timestamptz;
CREATE UNIQUE INDEX session_cookie ON session (cookie) WHERE cookie IS NOT NULL;
