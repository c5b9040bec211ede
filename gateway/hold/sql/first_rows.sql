-- What became of the first ones ($2), for those in doubt behind them; $1: days to look in. One row of
-- one partition at a time: a join may read them all, and without the day it has to.
SELECT w.id, h.state, h.ending
FROM unnest($1::int[], $2::text[]) AS w (bucket, id)
CROSS JOIN LATERAL (
    SELECT state, ending FROM held
    WHERE bucket = w.bucket AND id = w.id AND state <> 'tombstone'
    OFFSET 0
) AS h
