-- name: position
INSERT INTO outcome_position (ledger, last) VALUES ($1, '0-0')
ON CONFLICT (ledger) DO UPDATE SET ledger = excluded.ledger RETURNING last;

-- name: read
UPDATE outcome_position SET last = $2 WHERE ledger = $1;

-- name: partition
SELECT outcome_partition($1);

-- name: sweep
SELECT outcome_sweep($1);

-- name: search
-- Newest first. NULL for a filter not given: $1 recipient, $2 tenant, $3 message, $4 since
-- (milliseconds), $5 before, $6 most of them.
SELECT at, message, tenant, recipient, outcome, campaign, vmta, server, envelope, why FROM outcome
WHERE ($1::text IS NULL OR recipient = $1) AND ($2::text IS NULL OR tenant = $2)
    AND ($3::text IS NULL OR message = $3) AND ($4::bigint IS NULL OR at >= $4)
    AND ($5::bigint IS NULL OR at < $5)
ORDER BY at DESC LIMIT $6;

-- name: states
-- Of those still in the hold. Every bucket is named for the primary key to be used.
SELECT id, state, reason, until FROM held
WHERE id = ANY($1::text[]) AND state IN ('held', 'claimed', 'doubt')
    AND bucket = ANY(ARRAY(SELECT substr(c.relname, 6)::integer
        FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
        WHERE i.inhparent = 'held'::regclass));

-- name: forget
UPDATE outcome SET recipient = '', why = ''
WHERE recipient = ANY($1::text[]) AND ($2::text IS NULL OR tenant = $2);
