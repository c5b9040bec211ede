-- An alert that is found gone is over once it stayed so; until then it may come back, as the same one.
ALTER TABLE alert
    -- since when it is not found any more, calendar milliseconds; null: it is
    ADD COLUMN absent bigint,
    ADD COLUMN returned integer NOT NULL DEFAULT 0,
    -- the gravest it was lately (info 1, warning 2, critical 3), and when that was seen last
    ADD COLUMN worst smallint NOT NULL DEFAULT 0,
    ADD COLUMN worst_seen bigint NOT NULL DEFAULT 0;
UPDATE alert SET worst = array_position(ARRAY['info', 'warning', 'critical'], severity),
    worst_seen = last_seen
WHERE recovered IS NULL;
