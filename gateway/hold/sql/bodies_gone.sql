-- The next rows that ended before $1, after ($2, $3); their contents go unless somebody else of the
-- same message still needs them. Returns the last row looked at.
WITH ended AS (
    SELECT bucket, id, body, since FROM held
    WHERE state IN ('done', 'refused') AND since < $1 AND (since, id) > ($2, $3)
    ORDER BY since, id LIMIT $4
), gone AS (
    DELETE FROM held_body b USING ended e
    WHERE b.bucket = e.bucket AND b.id = e.body
        AND NOT EXISTS (
            SELECT 1 FROM held h
            WHERE h.bucket = b.bucket AND h.id >= b.id AND h.id < b.id || 'y' AND h.body = b.id
                AND (h.state IN ('held', 'claimed', 'doubt') OR h.since >= $1))
)
SELECT since, id, (SELECT count(*) FROM ended) AS seen
FROM ended ORDER BY since DESC, id DESC LIMIT 1
