-- Orders that can be undone for a while. `undo`: for how many seconds, 0 for not at all; `until`: calendar
-- milliseconds, known once all that matched is marked; `undone`: messages that were put back.
-- A request has more states than before, so that the check of them is wider: a version of before makes
-- none of the new ones, and leaves a drop that is open to the version that comes after it.
ALTER TABLE hold_request
    DROP CONSTRAINT hold_request_state_check,
    ADD COLUMN undo integer NOT NULL DEFAULT 0 CHECK (undo >= 0),
    ADD COLUMN until bigint NOT NULL DEFAULT 0,
    ADD COLUMN undone bigint NOT NULL DEFAULT 0
        CONSTRAINT hold_request_state_check CHECK (
            state IN ('waiting', 'running', 'open', 'ending', 'undoing', 'undone', 'done', 'failed'));
DROP INDEX hold_request_open;
CREATE INDEX hold_request_open ON hold_request (id)
    WHERE state IN ('waiting', 'running', 'open', 'ending', 'undoing');

-- What an order that can be undone has taken, as it was before: whether it was paused and why it
-- waited, and until when. Nothing of it is left when the order is over.
CREATE TABLE hold_marked (
    request     bigint NOT NULL REFERENCES hold_request,
    bucket      integer NOT NULL,
    id          text NOT NULL,
    paused      boolean NOT NULL,
    reason      text NOT NULL,
    due         bigint NOT NULL,
    PRIMARY KEY (request, bucket, id)
);
-- Whether a later order has the row, too.
CREATE INDEX hold_marked_row ON hold_marked (bucket, id);
