-- Whose mail it was of which a provider said something last: the From domain, else the return path's.
ALTER TABLE warmup_reply ADD COLUMN domain text NOT NULL DEFAULT '';
