-- As first_rows.sql, all rows of messages with several recipients.
SELECT w.id, h.recipient, h.state, h.ending
FROM unnest($1::int[], $2::text[]) AS w (bucket, id)
CROSS JOIN LATERAL (
    SELECT recipient, state, ending FROM held
    WHERE bucket = w.bucket AND id > w.id AND id < w.id || 'y' AND body = w.id
        AND state <> 'tombstone'
    OFFSET 0
) AS h
