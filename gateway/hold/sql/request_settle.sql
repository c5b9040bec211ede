-- Doubt that ends by an operator's word, of rows locked before.
UPDATE held h
SET state = $4, since = $3,
    reason = CASE $4 WHEN 'held' THEN 'absent' ELSE '' END,
    detail = CASE $4 WHEN 'held' THEN 'an operator said that it was not sent' ELSE '' END,
    ending = CASE WHEN $4 = 'held' THEN '' WHEN h.behind = '' THEN 'relayed' ELSE 'duplicate' END,
    verdict = CASE $4 WHEN 'held' THEN '' ELSE 'an operator said that it was delivered' END
FROM unnest($1::int[], $2::text[]) AS w (bucket, id)
WHERE h.bucket = w.bucket AND h.id = w.id
