-- Recipient domains that are in no table of ours, and the provider whose servers take their mail.
CREATE TABLE provider_domain (
    domain      text PRIMARY KEY,
    -- '': nobody knows yet, which counts as other
    provider    text NOT NULL DEFAULT '',
    -- mx: DNS said so; dsnMta: records did; '': nobody
    why         text NOT NULL DEFAULT '' CHECK (why IN ('', 'mx', 'dsnMta')),
    -- The host that it was seen by.
    host        text NOT NULL DEFAULT '',
    -- Since when it has this provider. Times are calendar milliseconds; 0: never.
    since       bigint NOT NULL DEFAULT 0,
    -- Its last record.
    seen        bigint NOT NULL,
    -- Its last look-up, what was wrong with it, and when the next is due.
    checked     bigint NOT NULL DEFAULT 0,
    trouble     text NOT NULL DEFAULT '',
    next        bigint NOT NULL,
    -- Whose servers its last records name, and how many of them in a row.
    hint        text NOT NULL DEFAULT '',
    hint_host   text NOT NULL DEFAULT '',
    hints       integer NOT NULL DEFAULT 0
);
CREATE INDEX provider_domain_next ON provider_domain (next);
CREATE INDEX provider_domain_seen ON provider_domain (seen);
