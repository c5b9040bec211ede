UPDATE held h SET paused = false, waiting = false, due = 0
FROM unnest($1::int[], $2::text[]) AS w (bucket, id)
WHERE h.bucket = w.bucket AND h.id = w.id
