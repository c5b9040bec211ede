-- Since when a tenant is being removed: its plan has no login and no network, so that nothing new of
-- it is held between the last look at what waits and the removal. Null: it is not.
ALTER TABLE tenant ADD COLUMN leaving timestamptz;
