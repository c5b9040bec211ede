-- Rows of a paused campaign leave the way.
UPDATE held SET paused = true, reason = 'campaign_paused', detail = $5, until = 0
WHERE (bucket, id) IN (
    SELECT bucket, id FROM held
    WHERE tenant = $1 AND pool = $2 AND campaign = $3 AND state = 'held' AND NOT waiting
        AND NOT paused
    ORDER BY arrived, id LIMIT $4 FOR UPDATE SKIP LOCKED)
