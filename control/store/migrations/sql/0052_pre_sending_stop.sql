-- All sending is stopped by an operator while its one row is there: it becomes part of the plan, so
-- that it outlives every process and the ledger.
CREATE TABLE sending_stop (
    one     boolean PRIMARY KEY DEFAULT true CHECK (one),
    since   timestamptz NOT NULL,
    who     text NOT NULL,
    reason  text NOT NULL
);
