-- What mailboxes with mail waiting lack to their daily minimum: the last word of each day, by pool.
CREATE TABLE hold_shortfall (
    -- UTC days since 1970
    day         integer NOT NULL,
    tenant      text NOT NULL,
    pool        text NOT NULL,
    -- when it was counted, calendar milliseconds
    at          bigint NOT NULL,
    -- with mail waiting; of those below their minimum; recipients they lack; the one that lacks most
    mailboxes   integer NOT NULL,
    behind      integer NOT NULL,
    missing     bigint NOT NULL,
    most        bigint NOT NULL,
    -- it was logged, the day being over
    told        boolean NOT NULL DEFAULT false,
    PRIMARY KEY (day, tenant, pool)
);
