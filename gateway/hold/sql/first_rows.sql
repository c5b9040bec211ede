-- What became of the first ones ($2), for those in doubt behind them; $1: days to look in. One row of
-- one partition at a time: a join may read them all, and without the day it has to.
SELECT w.id, (
    SELECT ARRAY[h.state, h.ending] FROM held h
    WHERE h.bucket = w.bucket AND h.id = w.id AND h.state <> 'tombstone'
) AS fate
FROM unnest($1::int[], $2::text[]) AS w (bucket, id)
