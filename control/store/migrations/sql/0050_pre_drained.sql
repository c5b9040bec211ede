-- Since when an agent counts nothing queued for a VirtualMTA that does not send; milliseconds of the
-- machine's clock: a queue empties in real time.
CREATE TABLE pmta_drained (
    vmta    text PRIMARY KEY REFERENCES virtual_mta (name) ON DELETE CASCADE ON UPDATE CASCADE,
    since   bigint NOT NULL
);

-- One that sends again, or from elsewhere, may have something queued that no count has seen.
CREATE FUNCTION pmta_drained_no_more() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM pmta_drained WHERE vmta = NEW.name;
    RETURN NULL;
END $$;
CREATE TRIGGER pmta_drained_no_more AFTER UPDATE OF state, server ON virtual_mta
    FOR EACH ROW WHEN (NEW.server <> OLD.server
        OR (NEW.state <> OLD.state AND NEW.state NOT IN ('new', 'paused', 'retiring')))
    EXECUTE FUNCTION pmta_drained_no_more();
