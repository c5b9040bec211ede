-- Rows whose own waiting is over.
UPDATE held SET waiting = false, due = 0
WHERE (bucket, id) IN (
    SELECT bucket, id FROM held WHERE state = 'held' AND waiting AND due <= $1
    ORDER BY due LIMIT $2 FOR UPDATE SKIP LOCKED)
