-- A claim whose commit nobody answered, and that we therefore did not begin.
UPDATE held h
SET state = 'held', since = $4
FROM unnest($2::int[], $3::text[]) AS w (bucket, id)
WHERE h.bucket = w.bucket AND h.id = w.id AND h.claimant = $1
    AND h.state IN ('claimed', 'doubt')
