-- Messages on their way into the hold, as gateway/hold/sql/keep.sql takes them: arrays of these.
-- Types of their own, not the tables': gateways that run while a column is added go on.

CREATE TYPE hold_content AS (
    bucket      integer,
    id          text,
    sender      bytea,
    flags       smallint,
    ret         bytea,
    codec       text,
    content     bytea
);

CREATE TYPE hold_line AS (
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
    behind      text
);
