-- Paused by an operator is not paused with a campaign: it does not end with that one's pause.
UPDATE held h SET paused = $3,
    reason = CASE WHEN $3 AND h.reason = 'campaign_paused' THEN 'paused' ELSE h.reason END
FROM unnest($1::int[], $2::text[]) AS w (bucket, id)
WHERE h.bucket = w.bucket AND h.id = w.id
