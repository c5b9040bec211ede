-- The address leaves the history, too. $1, $3: as in policy.address.recipient_spellings.
WITH rows AS (
    UPDATE held SET recipient = '', orcpt = '', message_id = ''
    WHERE (substring(recipient FROM 1 FOR length($1::bytea)) = $1::bytea
                AND lower(encode(substring(recipient FROM length($1::bytea) + 1), 'escape'))
                    IN (SELECT lower(encode(d, 'escape')) FROM unnest($3::bytea[]) AS d))
        AND ($2::text IS NULL OR tenant = $2) AND state IN ('done', 'refused')
)
UPDATE hold_event SET recipient = '', sender = '', message_id = '', envid = '', orcpt = ''
WHERE (substring(recipient FROM 1 FOR length($1::bytea)) = $1::bytea
        AND lower(encode(substring(recipient FROM length($1::bytea) + 1), 'escape'))
            IN (SELECT lower(encode(d, 'escape')) FROM unnest($3::bytea[]) AS d))
    AND ($2::text IS NULL OR tenant = $2)
