-- name: put
-- In the order of their keys.
INSERT INTO ledger_counted AS c (ip, day, incarnation, counts)
SELECT n.ip, n.day, $1, n.counts
FROM unnest($2::text[], $3::integer[], $4::jsonb[]) AS n (ip, day, counts) ORDER BY n.ip, n.day
ON CONFLICT (ip, day, incarnation) DO UPDATE SET counts = excluded.counts
WHERE c.counts IS DISTINCT FROM excluded.counts;

-- name: forget
DELETE FROM ledger_counted WHERE day < $1;
