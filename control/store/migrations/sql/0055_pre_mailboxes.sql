-- Mailboxes: a ramp, gaps that are drawn, defaults of the tenant for what a mailbox does not say.
-- Null of a mailbox was "off", and takes the tenant's from here on: what was off stays it.
UPDATE mailbox SET daily_max = 1000000000
WHERE daily_max IS NULL AND tenant IN (SELECT name FROM tenant WHERE mailbox_max IS NOT NULL);

ALTER TABLE mailbox
    ALTER COLUMN spacing DROP NOT NULL,
    ALTER COLUMN spacing DROP DEFAULT,
    ADD COLUMN spacing_max double precision CHECK (spacing_max >= 0 AND spacing_max <= 86400),
    ADD COLUMN ramp        bigint[],
    -- First day of the ramp; null: the day it sends first, as the ledger has it.
    ADD COLUMN ramp_from   date;

ALTER TABLE tenant
    ALTER COLUMN mailbox_spacing DROP NOT NULL,
    ALTER COLUMN mailbox_spacing DROP DEFAULT,
    ADD COLUMN mailbox_spacing_max double precision
        CHECK (mailbox_spacing_max >= 0 AND mailbox_spacing_max <= 86400),
    ADD COLUMN mailbox_min         bigint CHECK (mailbox_min >= 0),
    ADD COLUMN mailbox_ramp        bigint[] NOT NULL DEFAULT '{}',
    ADD COLUMN mailbox_ramp_days   integer NOT NULL DEFAULT 7
        CHECK (mailbox_ramp_days BETWEEN 1 AND 365),
    ADD COLUMN mailbox_unknown     text NOT NULL DEFAULT 'discover'
        CHECK (mailbox_unknown IN ('discover', 'refuse', 'shared'));
-- Null takes the settings, which have none unless somebody says so.
UPDATE tenant SET mailbox_spacing = NULL WHERE mailbox_spacing = 0;
