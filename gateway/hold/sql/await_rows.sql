-- Waits for whoever is changing these rows.
SELECT 1 FROM held h JOIN unnest($1::int[], $2::text[]) AS w (bucket, id)
    ON h.bucket = w.bucket AND h.id = w.id
FOR UPDATE OF h
