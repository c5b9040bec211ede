-- What ledgers counted of an IP's day, as carry-over read it last: what one of them has lost is known
-- by it. Of the ledger in force nobody asks here.
CREATE TABLE ledger_counted (
    ip          text NOT NULL,
    day         integer NOT NULL,
    incarnation text NOT NULL,
    -- provider to recipients granted by gateways; '': of no provider that is known
    counts      jsonb NOT NULL,
    PRIMARY KEY (ip, day, incarnation)
);
