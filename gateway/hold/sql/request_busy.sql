-- Whether mail for this recipient is being sent right now: it is to be forgotten after that.
SELECT EXISTS (
    SELECT 1 FROM held
    WHERE (state = 'claimed' OR (state = 'doubt' AND reason = 'dividing'))
        AND (substring(recipient FROM 1 FOR length($1::bytea)) = $1::bytea
            AND lower(encode(substring(recipient FROM length($1::bytea) + 1), 'escape'))
                IN (SELECT lower(encode(d, 'escape')) FROM unnest($3::bytea[]) AS d))
        AND ($2::text IS NULL OR tenant = $2))
