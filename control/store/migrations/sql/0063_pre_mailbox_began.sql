-- Where ramps of mailboxes began, kept beside the ledger, which may be lost: `first` and `day` as
-- `policy.mailbox.Record` has them.
CREATE TABLE mailbox_began (
    tenant      text NOT NULL,
    mailbox     text NOT NULL,
    first       integer NOT NULL,
    day         integer NOT NULL,
    PRIMARY KEY (tenant, mailbox)
) WITH (fillfactor = 80);

-- A name may be another tenant's later.
CREATE OR REPLACE FUNCTION mailbox_progress_gone() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM mailbox_refused WHERE tenant = OLD.name;
    DELETE FROM mailbox_streak WHERE tenant = OLD.name;
    DELETE FROM mailbox_began WHERE tenant = OLD.name;
    RETURN NULL;
END $$;

-- A few rows of one mailbox that wait by themselves: without it all that waits was read for each
-- refusal that gave a place back.
CREATE INDEX held_resting ON held (pool, mailbox, arrived, id)
    WHERE state = 'held' AND waiting AND NOT paused;
