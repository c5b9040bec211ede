-- A message with several recipients has a row for each, of its id + 'x' + number. `key` is that of the
-- row's own entry, and the row its owner; `whole` that of the entry of the whole message, whose owner
-- is the message: '' where it has one recipient, for then they are the same.
ALTER TABLE held ADD COLUMN whole text NOT NULL DEFAULT '';

-- As `hold_line`, of which gateways of before go on to make arrays, with `whole`.
CREATE TYPE hold_recipient AS (
    bucket      integer,
    id          text,
    body        text,
    tenant      text,
    pool        text,
    provider    text,
    mailbox     text,
    bulk        boolean,
    recipient   bytea,
    notify      bytea,
    orcpt       bytea,
    campaign    text,
    key         text,
    message_id  text,
    size        integer,
    arrived     bigint,
    state       text,
    reason      text,
    detail      text,
    until       bigint,
    waiting     boolean,
    due         bigint,
    attempt     integer,
    server      text,
    vmta        text,
    envelope    text,
    failures    integer,
    behind      text,
    whole       text
);

-- Digests of the recipients that records of this envelope id named (policy.duplicate), for a message
-- with several goes under one id; '{}': not known, and a record is evidence for each of them.
ALTER TABLE receipt ADD COLUMN recipients bigint[] NOT NULL DEFAULT '{}';
