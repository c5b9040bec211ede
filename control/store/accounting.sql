-- name: try_lock
-- Held by the session: one reader of a stream at a time, across all control nodes.
SELECT pg_try_advisory_lock($1);

-- name: stream
INSERT INTO accounting_stream (server, path, since) VALUES ($1, $2, $3)
ON CONFLICT (server) DO UPDATE SET path = excluded.path
RETURNING file, inode, position, mark, header, done;

-- name: advance
-- Only from where the reader began: a reader that lost its lock without knowing changes nothing.
UPDATE accounting_stream SET
    file = $4, inode = $5, position = $6, mark = $7, header = $8,
    records = records + $9, skipped = skipped + $10,
    since = least(since, $11),
    read_at = greatest(read_at, $12),
    gap_at = CASE WHEN $13 = '' THEN gap_at ELSE greatest(gap_at, $14) END,
    gap = CASE WHEN $13 = '' THEN gap ELSE $13 END,
    problem = $15
WHERE server = $1 AND inode = $2 AND position = $3
RETURNING server;

-- name: set_done
UPDATE accounting_stream SET done = $2 WHERE server = $1;

-- name: set_problem
UPDATE accounting_stream SET problem = $2 WHERE server = $1 AND problem <> $2;

-- name: add_receipts
INSERT INTO receipt (day, message, attempt, key, server, kinds, at)
SELECT n.day, n.message, n.attempt, n.key, $1, n.kinds, n.at
FROM unnest($2::integer[], $3::text[], $4::integer[], $5::text[], $6::text[], $7::bigint[])
    AS n (day, message, attempt, key, kinds, at)
ON CONFLICT (day, message, attempt) DO UPDATE
SET kinds = receipt.kinds || translate(excluded.kinds, receipt.kinds, '')
-- Most d records repeat nothing; a row that would not change is not written again.
WHERE translate(excluded.kinds, receipt.kinds, '') <> '';

-- name: add_relayed
INSERT INTO relayed (day, vmta, provider, count)
SELECT * FROM unnest($1::integer[], $2::text[], $3::text[], $4::bigint[])
ON CONFLICT (day, vmta, provider) DO UPDATE SET count = relayed.count + excluded.count;

-- name: probes_read
UPDATE probe SET read = true WHERE server = $1 AND id = ANY ($2::text[]);

-- name: streams
SELECT server, path, file, inode, position, mark, header, done, since, read_at, records, skipped,
    gap_at, gap, problem
FROM accounting_stream ORDER BY server;

-- name: forget_receipts
DELETE FROM receipt WHERE ctid = ANY (ARRAY(SELECT ctid FROM receipt WHERE day < $1 LIMIT $2));

-- name: forget_relayed
DELETE FROM relayed WHERE ctid = ANY (ARRAY(SELECT ctid FROM relayed WHERE day < $1 LIMIT $2));
