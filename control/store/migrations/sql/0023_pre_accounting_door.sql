-- Accounting records of every kind, whatever brought them: posted batches that wait, which records
-- counted, what they said, and what could not be read.

-- Tables by days, as `outcome`: partitions are named TABLE_DAY.
CREATE FUNCTION day_partition(parent text, day integer) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_advisory_xact_lock(103686592135173);
    IF NOT EXISTS (SELECT 1 FROM pg_class WHERE relname = parent || '_' || day) THEN
        EXECUTE format('CREATE TABLE %I PARTITION OF %I FOR VALUES FROM (%s) TO (%s)',
            parent || '_' || day, parent, day, day + 1);
    END IF;
END $$;

-- Drops the days before `first`; returns them.
CREATE FUNCTION day_sweep(parent text, first integer) RETURNS SETOF integer LANGUAGE plpgsql AS $$
DECLARE
    day integer;
BEGIN
    PERFORM pg_advisory_xact_lock(103686592135173);
    FOR day IN
        SELECT substr(c.relname, length(parent) + 2)::integer
        FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
        WHERE i.inhparent = parent::regclass AND c.relname ~ ('^' || parent || '_[0-9]+$')
            AND substr(c.relname, length(parent) + 2)::integer < first
        ORDER BY 1
    LOOP
        EXECUTE format('DROP TABLE %I', parent || '_' || day);
        RETURN NEXT day;
    END LOOP;
END $$;

-- Posted batches that were answered and not taken in yet, as they came.
CREATE TABLE accounting_batch (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    -- calendar milliseconds
    came        bigint NOT NULL,
    origin      text NOT NULL,
    -- '': it did not say which PowerMTA server
    server      text NOT NULL,
    -- the token, or what else let it in
    who         text NOT NULL,
    size        bigint NOT NULL,
    body        bytea NOT NULL,
    tries       integer NOT NULL DEFAULT 0,
    -- why the last try failed
    trouble     text NOT NULL DEFAULT ''
);
-- Packed already, or by us.
ALTER TABLE accounting_batch ALTER COLUMN body SET STORAGE EXTERNAL;

-- The identities of records that counted, by the day of their time.
CREATE TABLE accounting_seen (
    day         integer NOT NULL,
    id          bytea NOT NULL,
    PRIMARY KEY (day, id)
) PARTITION BY RANGE (day);
-- Days older than identities are kept: of imported history.
CREATE TABLE accounting_seen_old PARTITION OF accounting_seen DEFAULT;

-- Days whose identities are gone: a record of them may have counted.
CREATE TABLE accounting_closed (day integer PRIMARY KEY);

-- What the records said, by the day they came: lines of JSON, packed (zlib).
CREATE TABLE accounting_raw (
    day         integer NOT NULL,
    id          bigint GENERATED ALWAYS AS IDENTITY,
    came        bigint NOT NULL,
    origin      text NOT NULL,
    server      text NOT NULL,
    place       text NOT NULL,
    records     integer NOT NULL,
    body        bytea NOT NULL,
    PRIMARY KEY (day, id)
) PARTITION BY RANGE (day);
ALTER TABLE accounting_raw ALTER COLUMN body SET STORAGE EXTERNAL;

-- What could not be read; each text once.
CREATE TABLE accounting_set_aside (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    digest      bytea NOT NULL UNIQUE,
    came        bigint NOT NULL,
    origin      text NOT NULL,
    server      text NOT NULL,
    place       text NOT NULL,
    why         text NOT NULL,
    -- The names of the columns it stood under, as a header line; '': none.
    header      text NOT NULL,
    raw         bytea NOT NULL,
    times       bigint NOT NULL DEFAULT 1
);
CREATE INDEX accounting_set_aside_came ON accounting_set_aside (came);

-- Records by type, and those that had counted before, by the day they came.
CREATE TABLE accounting_kind (
    day         integer NOT NULL,
    server      text NOT NULL,
    kind        text NOT NULL,
    records     bigint NOT NULL,
    repeated    bigint NOT NULL,
    PRIMARY KEY (day, server, kind)
);

-- A token for PowerMTA: it posts accounting and sees nothing.
ALTER TABLE api_token DROP CONSTRAINT api_token_role_check;
ALTER TABLE api_token ADD CONSTRAINT api_token_role_check
    CHECK (role IN ('admin', 'operator', 'read', 'scrape', 'accounting'));
ALTER TABLE api_token ADD CHECK (tenant IS NULL OR role <> 'accounting');
