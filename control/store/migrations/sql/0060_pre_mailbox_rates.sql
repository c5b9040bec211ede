-- A mailbox's own most recipients in any 60 and any 3,600 seconds; null takes its tenant's.
ALTER TABLE mailbox
    ADD COLUMN rate_minute bigint CHECK (rate_minute >= 0),
    ADD COLUMN rate_hour bigint CHECK (rate_hour >= 0);
