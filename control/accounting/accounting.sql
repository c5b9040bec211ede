-- name: try_lock
-- Held by the session: one reader of a stream at a time, across all control nodes.
SELECT pg_try_advisory_lock($1);

-- name: stream
INSERT INTO accounting_stream (server, path, since, agent) VALUES ($1, $2, $3, $4)
ON CONFLICT (server) DO UPDATE SET path = excluded.path, agent = excluded.agent
RETURNING file, turn, read_at, watched, extract(epoch FROM now() - ended)::float8 AS unwatched;

-- name: files
SELECT file, inode, position, mark, header, state FROM accounting_file WHERE server = $1;

-- name: forget_files
-- Of files that lie nowhere any more.
DELETE FROM accounting_file
WHERE server = $1 AND state <> 'reading' AND read < now() - make_interval(secs => $2)
    AND file <> ALL ($3::text[]);

-- name: advance
-- Only from where the reader began: a reader that lost its lock without knowing changes nothing.
UPDATE accounting_stream SET
    turn = turn + 1,
    file = $3,
    records = records + $4, skipped = skipped + $5,
    received = received + $6, named = named + $7, unaddressed = unaddressed + $8,
    behind_receipt = $9 + CASE WHEN $6 > 0 THEN 0 ELSE behind_receipt END,
    since = least(since, $10),
    read_at = greatest(read_at, $11),
    ended = CASE WHEN $12 THEN now() - make_interval(secs => $17::float8) ELSE ended END,
    gap_at = CASE WHEN $13 = '' THEN gap_at ELSE greatest(gap_at, $14) END,
    gap = CASE WHEN $13 = '' THEN gap ELSE $13 END,
    problem = $15,
    watched = $16
WHERE server = $1 AND turn = $2
RETURNING turn;

-- name: put_files
INSERT INTO accounting_file (server, file, inode, position, mark, header, state)
SELECT $1, n.* FROM unnest($2::text[], $3::bigint[], $4::bigint[], $5::text[], $6::text[],
    $7::text[]) AS n (file, inode, position, mark, header, state)
ON CONFLICT (server, file) DO UPDATE
SET inode = excluded.inode, position = excluded.position, mark = excluded.mark,
    header = excluded.header, state = excluded.state, read = now();

-- name: set_problem
UPDATE accounting_stream SET problem = $2 WHERE server = $1 AND problem <> $2;

-- name: seen
SELECT r.day, r.message, r.attempt, r.kinds, r.seen
FROM receipt r
JOIN unnest($1::integer[], $2::text[], $3::integer[]) AS n (day, message, attempt)
    ON r.day = n.day AND r.message = n.message AND r.attempt = n.attempt;

-- name: add_receipts
INSERT INTO receipt (day, message, attempt, key, server, kinds, at, seen, recipients)
-- Digests of receipts that were counted come all or none.
SELECT n.day, n.message, n.attempt, n.key, $1, n.kinds, n.at, coalesce(n.seen, ''),
    n.recipients::bigint[]
FROM unnest($2::integer[], $3::text[], $4::integer[], $5::text[], $6::text[], $7::bigint[],
    $8::bytea[], $9::text[]) AS n (day, message, attempt, key, kinds, at, seen, recipients)
ON CONFLICT (day, message, attempt) DO UPDATE
SET kinds = receipt.kinds || translate(excluded.kinds, receipt.kinds, ''),
    seen = receipt.seen || excluded.seen,
    -- Recipients that are not known stay so: an older version wrote the record of all of them.
    recipients = CASE receipt.recipients WHEN '{}' THEN '{}' ELSE receipt.recipients
        || ARRAY(SELECT unnest(excluded.recipients) EXCEPT SELECT unnest(receipt.recipients)) END
-- Most d records repeat nothing; a row that would not change is not written again.
WHERE translate(excluded.kinds, receipt.kinds, '') <> '' OR excluded.seen <> ''
    OR NOT (receipt.recipients = '{}' OR receipt.recipients @> excluded.recipients);

-- name: add_relayed
-- Of the IP now, while its VirtualMTA is known: it may be removed, and the name be another's, before
-- the counts are needed.
INSERT INTO relayed (day, vmta, provider, ip, count)
SELECT n.day, n.vmta, n.provider, coalesce(i.ip, ''), n.count
FROM unnest($1::integer[], $2::text[], $3::text[], $4::bigint[]) AS n (day, vmta, provider, count)
LEFT JOIN LATERAL (SELECT DISTINCT v.ip FROM vmta_ips_of(n.day) v WHERE v.vmta = n.vmta) i ON true
ORDER BY n.day, n.vmta, n.provider, i.ip
ON CONFLICT (day, vmta, provider, ip) DO UPDATE SET count = relayed.count + excluded.count;

-- name: probes_read
UPDATE probe SET read = true WHERE server = $1 AND id = ANY ($2::text[]);

-- name: is_server
SELECT EXISTS (SELECT 1 FROM pmta_server WHERE name = $1);

-- name: set_behind
UPDATE accounting_stream SET behind = $2 WHERE server = $1 AND behind IS DISTINCT FROM $2;

-- name: streams
SELECT server, path, agent, behind, file, since, read_at, records, skipped, received, named, unaddressed,
    behind_receipt, gap_at, gap, problem
FROM accounting_stream ORDER BY server;

-- name: forget_receipts
DELETE FROM receipt WHERE ctid = ANY (ARRAY(SELECT ctid FROM receipt WHERE day < $1 LIMIT $2));

-- name: forget_relayed
DELETE FROM relayed WHERE ctid = ANY (ARRAY(SELECT ctid FROM relayed WHERE day < $1 LIMIT $2));

-- name: forget_ips
-- A ledger that is rebuilt asks for those of yesterday and today.
DELETE FROM vmta_ip WHERE removed < least(to_timestamp($1 * 86400.0), now() - interval '3 days');
