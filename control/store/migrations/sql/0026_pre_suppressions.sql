-- Recipients that get no mail any more, of one tenant or of all.

-- One row. Who changes suppressions locks it, numbers its changes behind `change` and keeps the lock
-- until it has committed: so numbers are committed in their order, and who asks for what changed
-- after a number misses nothing that was given a lower one and committed later.
CREATE TABLE suppression_state (
    one         boolean PRIMARY KEY DEFAULT true CHECK (one),
    -- of the digests
    key         bytea NOT NULL,
    -- Another one: what was read before is to be read again as a whole.
    lineage     text NOT NULL DEFAULT gen_random_uuid()::text,
    change      bigint NOT NULL DEFAULT 0,
    -- of `suppression`, those that ended or were removed among them
    entries     bigint NOT NULL DEFAULT 0
);
INSERT INTO suppression_state (key)
VALUES (uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid()));

CREATE TABLE suppression (
    -- of tenant and address (policy/suppression.py)
    digest      bytea PRIMARY KEY CHECK (length(digest) = 16),
    -- '': all of them
    tenant      text NOT NULL,
    -- in its one spelling
    address     text NOT NULL,
    reason      text NOT NULL
                CHECK (reason IN ('other', 'bounce', 'complaint', 'unsubscribe', 'request')),
    origin      text NOT NULL CHECK (origin IN ('rule', 'hand', 'import', 'api')),
    note        text NOT NULL,
    who         text NOT NULL,
    -- calendar milliseconds
    since       bigint NOT NULL,
    -- NULL: without an end
    until       bigint,
    -- Since when it is none any more; such a row stays a while, for those who read changes, and so
    -- that an old record does not bring it back.
    removed     bigint,
    change      bigint NOT NULL UNIQUE
);
CREATE INDEX suppression_tenant ON suppression (tenant, change);
CREATE INDEX suppression_address ON suppression (address);
CREATE INDEX suppression_over ON suppression (coalesce(removed, until))
    WHERE removed IS NOT NULL OR until IS NOT NULL;
