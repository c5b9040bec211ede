-- Mail on our VirtualMTAs that no gateway handed in: each recipient once, what it is told apart by, and
-- what the ledger has been told of it.

-- Which records of a recipient were met, by the day it was handed in: a receipt, a final record and
-- those between are of one message, and nothing in them numbers it.
CREATE TABLE bypass_seen (
    day         integer NOT NULL,
    id          bytea NOT NULL,
    receipts    integer NOT NULL,
    finals      integer NOT NULL,
    -- 1: a transient record was met
    others      integer NOT NULL,
    -- Messages of it that are in `bypass` and `bypass_charge`.
    counted     integer NOT NULL DEFAULT 0,
    PRIMARY KEY (day, id)
) PARTITION BY RANGE (day);

-- Recipients by what their records name; as many rows a day as `accounting.bypass_sources`.
CREATE TABLE bypass (
    day         integer NOT NULL,
    server      text NOT NULL,
    vmta        text NOT NULL,
    ip          text NOT NULL,
    login       text NOT NULL,
    source      text NOT NULL,
    job         text NOT NULL,
    recipients  bigint NOT NULL,
    -- of the records that showed it, calendar milliseconds
    first_at    bigint NOT NULL,
    last_at     bigint NOT NULL,
    PRIMARY KEY (day, server, vmta, ip, login, source, job)
);

-- The same recipients as the ledger counts them. They only ever rise, so that the ledger is told a
-- total and never a difference: told twice, it is the same.
CREATE TABLE bypass_charge (
    day         integer NOT NULL,
    ip          text NOT NULL,
    provider    text NOT NULL,
    recipients  bigint NOT NULL,
    -- The total that the ledger was told, under this incarnation; one that is another knows none.
    applied     bigint NOT NULL DEFAULT 0,
    incarnation text NOT NULL DEFAULT '',
    PRIMARY KEY (day, ip, provider)
);
