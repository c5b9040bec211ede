-- Outcomes of one millisecond are told apart, so that a page can end between them.
CREATE SEQUENCE outcome_id;
ALTER TABLE outcome ADD COLUMN id bigint NOT NULL DEFAULT nextval('outcome_id');

-- What was trimmed from the stream before it was read. `told`: lines ever added to the stream, as
-- of when it was read to its end; NULL: nobody looked yet. `seen`: lines read since.
ALTER TABLE outcome_position
    ADD COLUMN told bigint,
    ADD COLUMN seen bigint NOT NULL DEFAULT 0,
    -- recipients, ever; calendar milliseconds of the last
    ADD COLUMN lost bigint NOT NULL DEFAULT 0,
    ADD COLUMN lost_at bigint NOT NULL DEFAULT 0;

-- Addresses that were to be forgotten while outcomes of theirs may still have been on the way:
-- digests with a key of control's.
CREATE TABLE outcome_forgotten (
    digest      text NOT NULL,
    tenant      text,
    -- calendar milliseconds; what is told later is new
    asked       bigint NOT NULL
);
