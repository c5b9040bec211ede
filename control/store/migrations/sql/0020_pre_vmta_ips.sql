-- Which IP each VirtualMTA had, and when: a name may be another IP's by the time its records are read
-- or a lost ledger is rebuilt, and PowerMTA's records name the VirtualMTA only. Triggers say it, so
-- that a statement by hand counts too. Forgotten with the receipts (`accounting.kept`).
CREATE TABLE vmta_ip (
    vmta        text NOT NULL,
    -- as the ledger's keys have it
    ip          text NOT NULL,
    server      text NOT NULL,
    -- calendar time; what was here before this table began may be older than its VirtualMTA
    created     timestamptz NOT NULL,
    -- PostgreSQL's time; NULL: it has it
    removed     timestamptz
);
CREATE UNIQUE INDEX vmta_ip_present ON vmta_ip (vmta) WHERE removed IS NULL;
CREATE INDEX vmta_ip_vmta ON vmta_ip (vmta);
CREATE INDEX vmta_ip_removed ON vmta_ip (removed);

-- Of those that were removed before nothing is known: a server counts from its own beginning.
INSERT INTO vmta_ip (vmta, ip, server, created)
SELECT v.name, host(v.ip), v.server, least(v.created, s.created)
FROM virtual_mta v JOIN pmta_server s ON s.name = v.server;

CREATE FUNCTION vmta_ip_note() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' AND (OLD.name, OLD.ip, OLD.server) = (NEW.name, NEW.ip, NEW.server) THEN
        RETURN NULL;
    END IF;
    IF TG_OP <> 'INSERT' THEN
        UPDATE vmta_ip SET removed = now() WHERE vmta = OLD.name AND removed IS NULL;
    END IF;
    IF TG_OP <> 'DELETE' THEN
        INSERT INTO vmta_ip (vmta, ip, server, created)
        VALUES (NEW.name, host(NEW.ip), NEW.server, NEW.created);
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER vmta_ip_note AFTER INSERT OR UPDATE OR DELETE ON virtual_mta
    FOR EACH ROW EXECUTE FUNCTION vmta_ip_note();

CREATE FUNCTION vmta_ip_note_all() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE vmta_ip SET removed = now() WHERE removed IS NULL;
    RETURN NULL;
END $$;
CREATE TRIGGER vmta_ip_note_all AFTER TRUNCATE ON virtual_mta
    FOR EACH STATEMENT EXECUTE FUNCTION vmta_ip_note_all();

-- What was so at any moment of a day of the calendar. An hour on each side for clocks that differ,
-- and whatever was removed within a day of PostgreSQL's: the calendar may have been moved forward.
CREATE FUNCTION vmta_ips_of(day integer) RETURNS SETOF vmta_ip LANGUAGE sql STABLE AS $$
    SELECT * FROM vmta_ip
    WHERE created < to_timestamp((day + 1) * 86400.0) + interval '1 hour'
        AND (removed IS NULL OR removed >= least(to_timestamp(day * 86400.0) - interval '1 hour',
            now() - interval '1 day'))
$$;

-- The IP whose VirtualMTA took the recipients; '': by a version that did not say, or nobody's. Where
-- a name was two IPs' on that day, each has all of its recipients: too high, never too low.
ALTER TABLE relayed ADD COLUMN ip text NOT NULL DEFAULT '';
ALTER TABLE relayed DROP CONSTRAINT relayed_pkey, ADD PRIMARY KEY (day, vmta, provider, ip);
