-- What a client named its envelope and its recipient (RFC 3461 4.2, 4.4), for our reports (RFC 3464).
ALTER TABLE held_body ADD COLUMN envid bytea NOT NULL DEFAULT '';
ALTER TABLE hold_event
    ADD COLUMN envid bytea NOT NULL DEFAULT '',
    ADD COLUMN orcpt bytea NOT NULL DEFAULT '';

-- Takes the place of hold_content, which gateways that run meanwhile go on with.
CREATE TYPE hold_message AS (
    bucket      integer,
    id          text,
    sender      bytea,
    flags       smallint,
    ret         bytea,
    envid       bytea,
    codec       text,
    content     bytea
);
