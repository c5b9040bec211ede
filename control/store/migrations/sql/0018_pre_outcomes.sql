-- What became of each message, one row a recipient, as gateways tell it after the answer. `day` is
-- the calendar day; days are dropped whole.
CREATE TABLE outcome (
    day         integer NOT NULL,
    -- calendar milliseconds
    at          bigint NOT NULL,
    message     text NOT NULL,
    tenant      text NOT NULL,
    -- The domain in A-labels; the local part as it came, or its digest (log.addresses); '' is
    -- forgotten.
    recipient   text NOT NULL,
    -- of the gateway's messages counter, or of an attempt of a released message
    outcome     text NOT NULL,
    campaign    text NOT NULL,
    vmta        text NOT NULL,
    server      text NOT NULL,
    envelope    text NOT NULL,
    why         text NOT NULL
) PARTITION BY RANGE (day);
CREATE INDEX outcome_recipient ON outcome (recipient, at);
CREATE INDEX outcome_message ON outcome (message);

-- How far the stream of a ledger was read; changes with the rows that were read.
CREATE TABLE outcome_position (
    ledger      text PRIMARY KEY,
    last        text NOT NULL
);

CREATE FUNCTION outcome_partition(day integer) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_advisory_xact_lock(103686592135172);
    IF NOT EXISTS (SELECT 1 FROM pg_class WHERE relname = 'outcome_' || day) THEN
        EXECUTE format('CREATE TABLE %I PARTITION OF outcome FOR VALUES FROM (%s) TO (%s)',
            'outcome_' || day, day, day + 1);
    END IF;
END $$;

-- Drops the days before `first`; returns them.
CREATE FUNCTION outcome_sweep(first integer) RETURNS SETOF integer LANGUAGE plpgsql AS $$
DECLARE
    day integer;
BEGIN
    PERFORM pg_advisory_xact_lock(103686592135172);
    FOR day IN
        SELECT substr(c.relname, 9)::integer FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
        WHERE i.inhparent = 'outcome'::regclass AND substr(c.relname, 9)::integer < first ORDER BY 1
    LOOP
        EXECUTE format('DROP TABLE %I', 'outcome_' || day);
        RETURN NEXT day;
    END LOOP;
END $$;
