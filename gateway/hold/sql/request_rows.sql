-- The next rows a request is about; claimed ones are never touched, nor those of a divided message
-- whose attempt is under way. $3, $8: a recipient, as in
-- policy.address.recipient_spellings.
SELECT bucket, id, body, key, whole, attempt, state, behind FROM held h
WHERE reason <> 'dividing' AND CASE $6::text
        WHEN 'forget' THEN state IN ('held', 'doubt')
        -- One behind another that is here open is settled by that one's row and nothing else.
        WHEN 'settle' THEN state = 'doubt' AND (behind = '' OR NOT EXISTS (
            SELECT 1 FROM held f
            WHERE f.bucket = ANY(ARRAY(SELECT substr(c.relname, 6)::integer
                    FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
                    WHERE i.inhparent = 'held'::regclass))
                AND f.id >= h.behind AND f.id < h.behind || 'y' AND h.behind IN (f.id, f.body)
                AND f.state IN ('held', 'claimed', 'doubt')))
        ELSE state = 'held' END
    AND ($1::text IS NULL OR tenant = $1)
    AND ($2::text IS NULL OR campaign = $2)
    AND ($3::bytea IS NULL OR (substring(recipient FROM 1 FOR length($3::bytea)) = $3::bytea
            AND lower(encode(substring(recipient FROM length($3::bytea) + 1), 'escape'))
                IN (SELECT lower(encode(d, 'escape')) FROM unnest($8::bytea[]) AS d)))
    AND ($4::text IS NULL OR reason = $4)
    AND ($5::text IS NULL OR id = $5 OR body = $5)
    AND CASE $6
        WHEN 'pause' THEN NOT paused
        WHEN 'resume' THEN paused
        WHEN 'release' THEN waiting OR paused
        ELSE true END
ORDER BY bucket, id LIMIT $7 FOR UPDATE
