-- What is done by the calendar: one row for each job and the time it was due, which decides who of any
-- number of control nodes does it, and stays to say how that went.
CREATE TABLE job_run (
    name        text NOT NULL,
    -- when the calendar called for it; of one run by hand, when it was asked for: calendar milliseconds
    due         bigint NOT NULL,
    -- '': by the calendar
    by_hand     text NOT NULL DEFAULT '',
    state       text NOT NULL CHECK (state IN ('running', 'done', 'failed', 'dead')),
    attempts    integer NOT NULL,
    node        text NOT NULL,
    -- calendar milliseconds
    started     bigint NOT NULL,
    ended       bigint,
    seconds     double precision,
    -- what it did, or why it could not
    said        text NOT NULL DEFAULT '',
    -- Real time: until when a running one is its node's, and when a failed one is tried again.
    until       timestamptz NOT NULL,
    PRIMARY KEY (name, due)
);

-- Sums of an IP's days stay: evidence of warm-up, and few. Deletes at most `most` rows of each other
-- table that are of days before `first`, those of IP and campaign together before `detail`; how many
-- it were.
DROP FUNCTION statistics_sweep(integer, integer);
CREATE FUNCTION statistics_sweep(first integer, detail integer, most integer) RETURNS bigint
LANGUAGE plpgsql AS $$
DECLARE
    swept bigint := 0;
    here bigint;
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['statistics_campaign', 'statistics_mailbox', 'statistics_name',
        'statistics_detail']
    LOOP
        EXECUTE format('DELETE FROM %I WHERE ctid = ANY (ARRAY(SELECT ctid FROM %I WHERE day < $1 '
            'LIMIT $2))', name, name)
        USING CASE name WHEN 'statistics_detail' THEN detail ELSE first END, most;
        GET DIAGNOSTICS here = ROW_COUNT;
        swept := swept + here;
    END LOOP;
    RETURN swept;
END $$;
