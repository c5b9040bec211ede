-- Which server this database was last known to be on: a standby that took over knows another timeline,
-- a backup that was put back another cluster or fewer beats than the ledger.
CREATE TABLE primary_server (
    one         boolean PRIMARY KEY DEFAULT true CHECK (one),
    -- of the cluster, from pg_control_system()
    system      text NOT NULL,
    timeline    integer NOT NULL,
    -- at the last beat, commits waited for a standby
    synchronous boolean NOT NULL DEFAULT false,
    -- counted by control every few seconds, here first and then in the ledger
    beats       bigint NOT NULL DEFAULT 0
);

CREATE FUNCTION hold_timeline() RETURNS integer LANGUAGE sql STABLE AS $$
    SELECT ('x' || left(pg_walfile_name(pg_current_wal_lsn()), 8))::bit(32)::integer
$$;

INSERT INTO primary_server (system, timeline)
SELECT system_identifier::text, hold_timeline() FROM pg_control_system();

-- Whether control knows this server: until it does nothing held is claimed, for what waits here may
-- have gone by the server of before.
CREATE FUNCTION hold_judged() RETURNS boolean LANGUAGE sql STABLE AS $$
    SELECT EXISTS (
        SELECT 1 FROM primary_server
        WHERE system = (SELECT system_identifier::text FROM pg_control_system())
            AND timeline = hold_timeline())
$$;
