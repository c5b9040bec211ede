-- Divided messages whose attempt must be over, $2 milliseconds after their commit, and said nothing:
-- its process is gone. In doubt since then, as in gone.sql: the dot may have been said until then.
UPDATE held SET since = least($1::bigint, since + $2::bigint), reason = 'unknown',
    detail = 'the process that was dividing it is gone'
WHERE (bucket, id) IN (
    SELECT bucket, id FROM held
    WHERE state = 'doubt' AND reason = 'dividing' AND since < $1::bigint - $2::bigint
    LIMIT 500 FOR UPDATE SKIP LOCKED)
RETURNING id, key, attempt
