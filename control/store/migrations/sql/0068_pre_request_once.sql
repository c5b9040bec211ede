-- Requests with an Idempotency-Key, and what they were answered: `claim` has it, until `until` while
-- `answer` is null. An empty answer was too large to be kept.
CREATE TABLE request_once (
    holder text NOT NULL,
    key bytea NOT NULL,
    request bytea NOT NULL,
    claim bytea NOT NULL,
    at timestamptz NOT NULL,
    until timestamptz NOT NULL,
    status smallint,
    answer bytea,
    PRIMARY KEY (holder, key)
);
CREATE INDEX request_once_at ON request_once (at);
