-- Addresses that are to be taken out of what is kept of accounting, and how far that is. The digest
-- stays as long as records are kept: what PowerMTA told before comes late, or once more.
CREATE TABLE accounting_forgotten (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    -- calendar milliseconds
    asked       bigint NOT NULL,
    who         text NOT NULL,
    -- NULL: of all
    tenant      text,
    -- keyed, of the one spelling without case
    digest      text NOT NULL,
    -- every spelling it may stand in; none once it is out of everything
    spelt       text[] NOT NULL,
    step        text NOT NULL DEFAULT 'waiting'
                CHECK (step IN ('waiting', 'records', 'rejected', 'batches', 'done')),
    -- of the step: the last one looked at, and the last one there was when it was asked
    day         integer NOT NULL DEFAULT 0,
    number      bigint NOT NULL DEFAULT 0,
    last_raw    bigint NOT NULL DEFAULT 0,
    last_aside  bigint NOT NULL DEFAULT 0,
    last_batch  bigint NOT NULL DEFAULT 0,
    -- pieces: groups of records, records set aside, batches
    pieces      bigint NOT NULL DEFAULT 0,
    looked      bigint NOT NULL DEFAULT 0,
    changed     bigint NOT NULL DEFAULT 0,
    -- those that could not be looked into
    unread      bigint NOT NULL DEFAULT 0,
    -- 0: it goes on
    finished    bigint NOT NULL DEFAULT 0
);
CREATE INDEX accounting_forgotten_going ON accounting_forgotten (id) WHERE step <> 'done';
