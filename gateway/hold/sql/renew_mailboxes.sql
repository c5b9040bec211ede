-- Rows that wait for a limit of their mailbox as it was; what binds still is found out again.
WITH renewed AS (
    UPDATE held SET waiting = false, due = 0, until = 0
    WHERE (bucket, id) IN (
        SELECT bucket, id FROM held
        WHERE state = 'held' AND waiting AND reason IN ('mailbox_max', 'mailbox_spacing')
        ORDER BY due LIMIT $1 FOR UPDATE SKIP LOCKED)
    RETURNING 1
)
SELECT count(*) FROM renewed
