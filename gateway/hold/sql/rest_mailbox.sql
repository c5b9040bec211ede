-- More rows of a mailbox that has to wait, so that they do not stand before everybody else.
UPDATE held SET waiting = true, due = $3, reason = $4, detail = $5, until = $3
WHERE (bucket, id) IN (
    SELECT bucket, id FROM held
    WHERE pool = $1 AND mailbox = $2 AND state = 'held' AND NOT waiting AND NOT paused
    ORDER BY arrived, id LIMIT $6 FOR UPDATE SKIP LOCKED)
