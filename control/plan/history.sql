-- `acts`: what was written down in the transaction that stored a plan; both have its one time.

-- name: list
-- Newest first, before number $1 (NULL: from the newest on), $2 at most.
SELECT g.number, g.created, g.who, coalesce((SELECT jsonb_agg(jsonb_build_object('action', a.action,
        'subject', a.subject, 'reason', a.reason) ORDER BY a.id)
    FROM audit_log a WHERE a.at = g.created AND a.who = g.who), '[]') AS acts
FROM generation g WHERE ($1::bigint IS NULL OR g.number < $1) ORDER BY g.number DESC LIMIT $2;

-- name: one
-- With plan $2, if that is kept; NULL: the one before it.
SELECT g.number, g.created, g.who, coalesce((SELECT jsonb_agg(jsonb_build_object('action', a.action,
        'subject', a.subject, 'reason', a.reason) ORDER BY a.id)
    FROM audit_log a WHERE a.at = g.created AND a.who = g.who), '[]') AS acts,
    g.encoded, b.number AS before, b.encoded AS former
FROM generation g LEFT JOIN LATERAL (
    SELECT number, encoded FROM generation
    WHERE CASE WHEN $2::bigint IS NULL THEN number < g.number ELSE number = $2 END
    ORDER BY number DESC LIMIT 1
) b ON true
WHERE g.number = $1;
