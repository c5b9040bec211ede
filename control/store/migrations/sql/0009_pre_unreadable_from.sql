-- What becomes of mail whose From: names nobody for certain.
ALTER TABLE tenant ADD COLUMN unreadable_from text NOT NULL DEFAULT 'refuse'
    CHECK (unreadable_from IN ('refuse', 'shared'));
