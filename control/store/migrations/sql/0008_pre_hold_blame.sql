-- Failures that count against a held message are fewer than those it waited for: another message must
-- have passed on the same path since the one before. Rows of before start without blame.

ALTER TABLE held
    -- of `failures`, those after which another message had passed
    ADD COLUMN blamed       integer NOT NULL DEFAULT 0,
    -- when the last failure was written; 0: by the gateway that held it, or never
    ADD COLUMN failed_at    bigint NOT NULL DEFAULT 0;
