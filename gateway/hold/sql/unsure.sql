-- As tombstone.sql, every row of a message whose client was told that it was not stored: waits for
-- a commit that is still under way, ends what it left here and nobody took up since, and makes a
-- late one impossible. $3: now; $4: number of the last attempt; $5: what the client was told.
-- Twice is as good as once.
INSERT INTO held (bucket, id, body, tenant, pool, provider, mailbox, bulk, recipient, notify,
                  orcpt, campaign, key, message_id, size, arrived, state, since, reason, detail,
                  until, attempt, failures)
SELECT $1, id, '', '', '', '', '', true, '', '', '', '', '', '', 0, $3, 'tombstone', $3,
       'tombstone', $5, 0, $4, 1
FROM unnest($2::text[]) AS wanted (id)
ORDER BY id
ON CONFLICT (bucket, id) DO UPDATE SET
    state = CASE WHEN held.state = 'tombstone' THEN 'tombstone' ELSE 'done' END,
    since = excluded.since, ending = 'withdrawn', verdict = excluded.detail,
    -- A second try past an earlier tombstone goes by this number.
    failures = held.failures + CASE WHEN held.state = 'tombstone' THEN 1 ELSE 0 END
    WHERE held.state = 'tombstone' OR held.ending = 'withdrawn'
        OR (held.state IN ('held', 'doubt') AND held.attempt = excluded.attempt)
RETURNING id, key
