-- Contents whose recipients all ended before $1.
DELETE FROM held_body b
WHERE (b.bucket, b.id) IN (
    SELECT c.bucket, c.id FROM held_body c
    WHERE NOT EXISTS (
        SELECT 1 FROM held h
        WHERE h.bucket = c.bucket AND h.body = c.id AND h.id >= c.id AND h.id < c.id || 'y'
            AND (h.state IN ('held', 'claimed', 'doubt') OR h.since >= $1))
    LIMIT 500)
