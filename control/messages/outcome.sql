-- name: position
-- Locks it: two readers read one after the other, and whoever forgets an address between them.
INSERT INTO outcome_position (ledger, last) VALUES ($1, '0-0')
ON CONFLICT (ledger) DO UPDATE SET ledger = excluded.ledger RETURNING last, told, seen;

-- name: read
UPDATE outcome_position
SET last = $2, told = $3, seen = $4, lost = lost + $5,
    lost_at = CASE WHEN $5 > 0 THEN $6 ELSE lost_at END
WHERE ledger = $1;

-- name: lost
SELECT lost, lost_at FROM outcome_position WHERE ledger = $1;

-- name: partition
SELECT outcome_partition($1);

-- name: sweep
SELECT outcome_sweep($1);

-- name: search
-- Newest first. NULL for a filter not given: $1 recipient, $2 tenant, $3 message, $4 since
-- (milliseconds); $5, $6 the page ends there; $7 most of them.
-- Of a tenant, what became since it was made: its name may have been a former one's.
SELECT at, id, message, tenant, recipient, outcome, campaign, vmta, server, envelope, why
FROM outcome
WHERE ($1::text IS NULL OR recipient = $1)
    AND ($2::text IS NULL OR tenant = $2 AND at >=
        coalesce((SELECT extract(epoch FROM created) * 1000 FROM tenant WHERE name = $2), 0))
    -- A recipient's row of a held message has an id of its own.
    AND ($3::text IS NULL OR message = $3 OR (message >= $3 || 'x' AND message < $3 || 'y'))
    AND ($4::bigint IS NULL OR at >= $4)
    AND ($5::bigint IS NULL OR (at, id) < ($5, $6::bigint))
ORDER BY at DESC, id DESC LIMIT $7;

-- name: held
-- What gateways did not tell: how a message ended that was not sent (expired, failed, dropped,
-- forgotten, a copy) or whose doubt accounting settled, and what was held before outcomes were told.
-- Arguments as above, but $1, $8: a recipient as in policy.address.recipient_spellings, and $6 a
-- row's id.
SELECT at, id, message, tenant, recipient, outcome, campaign, vmta, server, envelope, why FROM (
    SELECT CASE WHEN state IN ('done', 'refused') THEN since ELSE arrived END AS at, id,
        id AS message, tenant, recipient,
        CASE WHEN state IN ('done', 'refused') THEN ending ELSE 'held' END AS outcome,
        campaign, vmta, server, envelope,
        CASE WHEN state IN ('done', 'refused') THEN verdict
            ELSE trim(reason || ' ' || detail) END AS why
    FROM held h
    WHERE state <> 'tombstone' AND ending <> 'withdrawn'
        AND ($1::bytea IS NULL OR (substring(recipient FROM 1 FOR length($1)) = $1
            AND lower(encode(substring(recipient FROM length($1) + 1), 'escape'))
                IN (SELECT lower(encode(d, 'escape')) FROM unnest($8::bytea[]) d)))
        AND ($2::text IS NULL OR tenant = $2 AND (state NOT IN ('done', 'refused') OR since >=
            coalesce((SELECT extract(epoch FROM created) * 1000 FROM tenant WHERE name = $2), 0)))
        -- Every bucket is named for the primary key to be used.
        AND ($3::text IS NULL OR (id >= $3 AND id < $3 || 'y' AND $3 IN (id, body)
            AND bucket = ANY(ARRAY(SELECT substr(c.relname, 6)::integer
                FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
                WHERE i.inhparent = 'held'::regclass))))
        AND NOT EXISTS (
            SELECT FROM outcome o
            WHERE CASE
                WHEN h.state NOT IN ('done', 'refused') THEN o.message IN (h.id, h.body)
                ELSE h.ending IN ('relayed', 'refused') AND o.message = h.id
                    AND o.outcome = h.ending END)
) found
WHERE ($4::bigint IS NULL OR at >= $4)
    AND ($5::bigint IS NULL OR (at, id COLLATE "C") < ($5, $6::text COLLATE "C"))
ORDER BY at DESC, id COLLATE "C" DESC LIMIT $7;

-- name: states
-- Of those still in the hold, with all their recipients.
SELECT h.id, h.body, h.recipient, h.state
FROM unnest($1::text[]) AS m (id) CROSS JOIN LATERAL (
    SELECT id, body, recipient, state FROM held
    WHERE id >= m.id AND id < m.id || 'y' AND body = m.id
        AND state IN ('held', 'claimed', 'doubt')
        AND bucket = ANY(ARRAY(SELECT substr(c.relname, 6)::integer
            FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
            WHERE i.inhparent = 'held'::regclass))
) h;

-- name: reading
-- Nobody reads the stream until the end of this transaction.
SELECT FROM outcome_position FOR UPDATE;

-- name: to_forget
INSERT INTO outcome_forgotten (digest, tenant, asked) SELECT unnest($1::text[]), $2, $3;

-- name: forgotten
SELECT digest, tenant, asked FROM outcome_forgotten;

-- name: forgotten_gone
DELETE FROM outcome_forgotten WHERE asked < $1;

-- name: forget
UPDATE outcome SET recipient = '', why = ''
WHERE recipient = ANY($1::text[]) AND ($2::text IS NULL OR tenant = $2);

-- name: refused
INSERT INTO mailbox_refused (day, tenant, mailbox, recipients)
SELECT * FROM unnest($1::integer[], $2::text[], $3::text[], $4::integer[])
ON CONFLICT (day, tenant, mailbox)
DO UPDATE SET recipients = mailbox_refused.recipients + excluded.recipients;
