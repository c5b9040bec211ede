-- Sending hours, and the limits of a tenant's mailboxes that have none of their own.
ALTER TABLE tenant
    ADD COLUMN window_start     integer CHECK (window_start BETWEEN 0 AND 86399),
    ADD COLUMN window_length    integer CHECK (window_length BETWEEN 60 AND 86399),
    ADD COLUMN window_zone      text,
    ADD COLUMN mailbox_max      bigint CHECK (mailbox_max >= 0),
    ADD COLUMN mailbox_spacing  double precision NOT NULL DEFAULT 0
                                CHECK (mailbox_spacing >= 0 AND mailbox_spacing <= 86400),
    -- Hours without a zone, or a zone without hours, would be a guess.
    ADD CHECK (num_nulls(window_start, window_length, window_zone) IN (0, 3));
