-- The next rows a request is about; claimed ones are never touched. $3, $9: a recipient, as in
-- policy.address.recipient_spellings.
SELECT bucket, id, body, key, attempt, state, behind FROM held
WHERE (state = 'held' OR (state = 'doubt' AND $6))
    AND ($1::text IS NULL OR tenant = $1)
    AND ($2::text IS NULL OR campaign = $2)
    AND ($3::bytea IS NULL OR (substring(recipient FROM 1 FOR length($3::bytea)) = $3::bytea
            AND lower(encode(substring(recipient FROM length($3::bytea) + 1), 'escape'))
                IN (SELECT lower(encode(d, 'escape')) FROM unnest($9::bytea[]) AS d)))
    AND ($4::text IS NULL OR reason = $4)
    AND ($5::text IS NULL OR id = $5 OR body = $5)
    AND CASE $7
        WHEN 'pause' THEN state = 'held' AND NOT paused
        WHEN 'resume' THEN state = 'held' AND paused
        WHEN 'release' THEN state = 'doubt' OR waiting OR paused
        ELSE true END
ORDER BY bucket, id LIMIT $8 FOR UPDATE
