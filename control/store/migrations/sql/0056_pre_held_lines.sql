-- Release at any size: a row is found by its line (a mailbox's mail in a pool × provider), from a place
-- on, and what became ready is announced. Nothing reads an index from its head any more: while a
-- snapshot is open, everything that went since stands there dead.

-- The transaction that made it ready: what no snapshot of before saw is new. Rows of before are found
-- by the look that each releaser begins with.
ALTER TABLE held ADD COLUMN readied xid8;
ALTER TABLE held ALTER COLUMN readied SET DEFAULT pg_current_xact_id();

CREATE INDEX held_line ON held (pool, mailbox, provider, bulk, bucket, arrived, id)
    WHERE state = 'held' AND NOT waiting AND NOT paused;
CREATE INDEX held_readied ON held (readied)
    WHERE state = 'held' AND NOT waiting AND NOT paused;
DROP INDEX held_release;

CREATE OR REPLACE FUNCTION hold_leave_state() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.state <> 'held' THEN
        NEW.until := 0;
        NEW.waiting := false;
        NEW.due := 0;
        NEW.paused := false;
    ELSIF NOT NEW.waiting AND NOT NEW.paused AND (OLD.state <> 'held' OR OLD.waiting OR OLD.paused
        OR NEW.pool <> OLD.pool OR NEW.provider <> OLD.provider)
    THEN
        NEW.readied := pg_current_xact_id();
    END IF;
    IF NEW.state IN ('held', 'tombstone') THEN
        NEW.server := '';
        NEW.vmta := '';
        NEW.envelope := '';
    END IF;
    IF NEW.state <> 'doubt' OR NEW.reason NOT IN ('duplicate', 'restored')
        -- What is restored stays behind another only if it was.
        OR (NEW.reason = 'restored'
            AND (OLD.state <> 'doubt' OR OLD.reason NOT IN ('duplicate', 'restored')))
    THEN
        NEW.behind := '';
    END IF;
    IF NEW.behind <> '' THEN
        NEW.vmta := '';
        NEW.envelope := '';
        NEW.claimant := '';
    END IF;
    IF NEW.state NOT IN ('claimed', 'doubt') THEN
        NEW.claimant := '';
    END IF;
    IF NEW.state IN ('done', 'refused') THEN
        NEW.reason := '';
        NEW.detail := '';
    ELSE
        NEW.ending := '';
        NEW.verdict := '';
    END IF;
    RETURN NEW;
END $$;

-- Of its turns when held mail of several tenants may go.
ALTER TABLE tenant ADD COLUMN weight double precision NOT NULL DEFAULT 1
    CHECK (weight BETWEEN 0.01 AND 100);
