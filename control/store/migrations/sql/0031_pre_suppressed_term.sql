-- What a tenant's client hears of a recipient that is suppressed.
ALTER TABLE tenant ADD COLUMN suppressed text NOT NULL DEFAULT 'refuse'
    CHECK (suppressed IN ('refuse', 'accept'));
