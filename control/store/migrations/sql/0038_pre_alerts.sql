-- What somebody should know of: when it began, what it says, what to do, when it was over; and the
-- messages that tell of it.
CREATE TABLE alert (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    key         text NOT NULL,
    -- who says when it is over: what is not among what it raises any more is
    source      text NOT NULL,
    severity    text NOT NULL CHECK (severity IN ('info', 'warning', 'critical')),
    what        text NOT NULL,
    next        text NOT NULL,
    -- all times: calendar milliseconds
    first_seen  bigint NOT NULL,
    last_seen   bigint NOT NULL,
    count       bigint NOT NULL DEFAULT 1,
    recovered   bigint,
    acknowledged bigint,
    acknowledged_by text NOT NULL DEFAULT '',
    -- messages that told of it, and when the next is due
    told        integer NOT NULL DEFAULT 0,
    tell_at     bigint NOT NULL
);
CREATE UNIQUE INDEX alert_open ON alert (key) WHERE recovered IS NULL;
CREATE INDEX alert_key ON alert (key);

CREATE TABLE alert_mute (
    key         text PRIMARY KEY,
    until       bigint NOT NULL,
    who         text NOT NULL,
    reason      text NOT NULL DEFAULT ''
);

CREATE TABLE alert_message (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    alert       bigint NOT NULL REFERENCES alert ON DELETE CASCADE,
    kind        text NOT NULL CHECK (kind IN ('begin', 'again', 'end')),
    at          bigint NOT NULL,
    severity    text NOT NULL,
    what        text NOT NULL,
    next        text NOT NULL,
    -- Whether the channels there are have it on their list.
    shared      boolean NOT NULL DEFAULT false
);
CREATE INDEX alert_message_new ON alert_message (id) WHERE NOT shared;
CREATE INDEX alert_message_alert ON alert_message (alert);

CREATE TABLE alert_delivery (
    message     bigint NOT NULL REFERENCES alert_message ON DELETE CASCADE,
    channel     text NOT NULL,
    state       text NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'sent', 'dead')),
    attempts    integer NOT NULL DEFAULT 0,
    -- real time
    again       timestamptz NOT NULL DEFAULT clock_timestamp(),
    error       text NOT NULL DEFAULT '',
    PRIMARY KEY (message, channel)
);
CREATE INDEX alert_delivery_waiting ON alert_delivery (again) WHERE state = 'waiting';
