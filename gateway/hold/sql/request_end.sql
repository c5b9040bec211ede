UPDATE held h
SET state = 'refused', since = $3, ending = $4, verdict = $5
FROM unnest($1::int[], $2::text[]) AS w (bucket, id)
WHERE h.bucket = w.bucket AND h.id = w.id
