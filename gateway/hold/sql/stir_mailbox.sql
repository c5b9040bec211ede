-- A few rows of a mailbox that has a place free before its limit ends; they remember how long it was
-- said to bind, so that each that goes calls more.
UPDATE held SET waiting = false, due = 0
WHERE (bucket, id) IN (
    SELECT bucket, id FROM held
    WHERE pool = $1 AND mailbox = $2 AND state = 'held' AND waiting AND NOT paused
        AND reason IN ('mailbox_max', 'mailbox_spacing')
    ORDER BY arrived, id LIMIT $3 FOR UPDATE SKIP LOCKED)
