-- name: lock
-- Held until the transaction ends (its migration says why).
SELECT key, change, entries FROM suppression_state FOR UPDATE;

-- name: key
SELECT key FROM suppression_state;

-- name: changed
UPDATE suppression_state SET change = $1, entries = entries + $2;

-- name: put
-- Asked for by somebody. What says nothing new changes nothing; `other` and an empty note do not take
-- the place of what is known already. What is forgotten (address '') stays without words. $3: who,
-- $4: now.
WITH put AS (
    INSERT INTO suppression AS s
        (digest, tenant, address, reason, origin, note, who, since, until, change)
    SELECT g.digest, g.tenant, g.address, g.reason, $2, g.note, $3, $4, g.until, $1 + g.n
    FROM unnest($5::bytea[], $6::text[], $7::text[], $8::text[], $9::text[], $10::bigint[])
        WITH ORDINALITY AS g (digest, tenant, address, reason, note, until, n)
    ON CONFLICT (digest) DO UPDATE SET
        reason = CASE WHEN excluded.reason = 'other' AND s.removed IS NULL
            THEN s.reason ELSE excluded.reason END,
        note = CASE WHEN s.address = '' OR (excluded.note = '' AND s.removed IS NULL)
            THEN s.note ELSE excluded.note END,
        since = CASE WHEN s.removed IS NULL AND (s.until IS NULL OR s.until > $4)
            THEN s.since ELSE excluded.since END,
        origin = excluded.origin, who = excluded.who, until = excluded.until, removed = NULL,
        change = excluded.change
    WHERE s.removed IS NOT NULL OR s.until IS DISTINCT FROM excluded.until
        OR (excluded.reason <> 'other' AND s.reason <> excluded.reason)
        OR (excluded.note <> '' AND s.note <> excluded.note)
    RETURNING xmax = 0 AS fresh
)
SELECT count(*) FILTER (WHERE fresh) AS added, count(*) FILTER (WHERE NOT fresh) AS changed FROM put;

-- name: put_by_rule
-- What a record said. What is suppressed already stays as it is, and so does what somebody took away
-- after the record was written. $3: who.
WITH put AS (
    INSERT INTO suppression AS s
        (digest, tenant, address, reason, origin, note, who, since, until, change)
    SELECT g.digest, g.tenant, g.address, g.reason, $2, g.note, $3, g.since, NULL, $1 + g.n
    FROM unnest($4::bytea[], $5::text[], $6::text[], $7::text[], $8::text[], $9::bigint[])
        WITH ORDINALITY AS g (digest, tenant, address, reason, note, since, n)
    ON CONFLICT (digest) DO UPDATE SET
        reason = excluded.reason, note = CASE WHEN s.address = '' THEN '' ELSE excluded.note END,
        since = excluded.since,
        origin = excluded.origin, who = excluded.who, until = NULL, removed = NULL,
        change = excluded.change
    WHERE s.removed < excluded.since OR (s.removed IS NULL AND s.until <= excluded.since)
    RETURNING xmax = 0 AS fresh
)
SELECT count(*) FILTER (WHERE fresh) AS added, count(*) FILTER (WHERE NOT fresh) AS changed FROM put;

-- name: remove
UPDATE suppression SET removed = $2, who = $3, change = $4 WHERE digest = $1 AND removed IS NULL
RETURNING tenant, address, reason, origin, note, who, since, until, removed, change;

-- name: one
SELECT tenant, address, reason, origin, note, who, since, until, removed, change FROM suppression
WHERE digest = $1;

-- name: of_address
-- Forgotten ones by their digest.
SELECT tenant, address, reason, origin, note, who, since, until, removed, change FROM suppression
WHERE (address = $1 OR digest = ANY ($3::bytea[])) AND ($2::text IS NULL OR tenant = $2)
ORDER BY tenant;

-- name: forgotten_of
-- Whose rows there are without their address.
SELECT DISTINCT tenant FROM suppression WHERE address = '' AND ($1::text IS NULL OR tenant = $1);

-- name: forget
WITH gone AS (
    UPDATE suppression SET address = '', note = ''
    WHERE address = $1 AND ($2::text IS NULL OR tenant = $2) RETURNING 1
)
SELECT count(*) FROM gone;

-- name: entries
SELECT entries FROM suppression_state;

-- name: newest
SELECT tenant, address, reason, origin, note, who, since, until, removed, change FROM suppression
WHERE ($1::text IS NULL OR tenant = $1) AND ($2::text IS NULL OR reason = $2)
    AND ($3::text IS NULL OR origin = $3) AND ($4::bigint IS NULL OR change < $4)
    AND ($5 OR (removed IS NULL AND (until IS NULL OR until > $6)))
ORDER BY change DESC LIMIT $7;

-- name: oldest
SELECT tenant, address, reason, origin, note, who, since, until, removed, change FROM suppression
WHERE ($1::text IS NULL OR tenant = $1) AND ($2::text IS NULL OR reason = $2)
    AND ($3::text IS NULL OR origin = $3) AND change > $4
    AND ($5 OR (removed IS NULL AND (until IS NULL OR until > $6)))
ORDER BY change LIMIT $7;

-- name: by_message
-- Whose messages they are, and to whom; the recipient only of a message that has one.
SELECT message, min(tenant) AS tenant,
    CASE WHEN count(DISTINCT recipient) = 1 THEN min(recipient) END AS recipient
FROM outcome WHERE message = ANY ($1::text[]) GROUP BY message;

-- name: sweep
-- What ended long ago; how many.
WITH gone AS (
    DELETE FROM suppression WHERE digest IN (
        SELECT digest FROM suppression
        WHERE (removed IS NOT NULL OR until IS NOT NULL) AND coalesce(removed, until) < $1
        LIMIT $2)
    RETURNING 1
)
SELECT count(*) FROM gone;
