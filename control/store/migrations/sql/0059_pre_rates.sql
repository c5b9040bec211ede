-- Most recipients in any 60 and any 3,600 seconds: of what a pool sends, of what an IP sends, of each
-- mailbox of a tenant. Null: no limit. Those of a tenant itself are there since 0001.
ALTER TABLE pool
    ADD COLUMN rate_minute bigint CHECK (rate_minute >= 0),
    ADD COLUMN rate_hour bigint CHECK (rate_hour >= 0);

ALTER TABLE virtual_mta
    ADD COLUMN rate_minute bigint CHECK (rate_minute >= 0),
    ADD COLUMN rate_hour bigint CHECK (rate_hour >= 0);

ALTER TABLE tenant
    ADD COLUMN mailbox_minute bigint CHECK (mailbox_minute >= 0),
    ADD COLUMN mailbox_hour bigint CHECK (mailbox_hour >= 0);
