-- name: changed
SELECT ip, at FROM statistics_changed ORDER BY ip;

-- name: blocked
SELECT ip, sum(count)::bigint AS count FROM warmup_reply WHERE fresh GROUP BY ip ORDER BY ip;

-- name: looked
-- What came meanwhile has another time, and stays.
DELETE FROM statistics_changed c USING unnest($1::text[], $2::bigint[]) AS n (ip, at)
WHERE c.ip = n.ip AND c.at = n.at;

-- name: looked_at_blocks
-- Those of which another reply came meanwhile stay.
UPDATE warmup_reply w SET fresh = false FROM unnest($1::text[], $2::bigint[]) AS n (ip, count)
WHERE w.ip = n.ip AND w.fresh
    AND n.count = (SELECT sum(o.count) FROM warmup_reply o WHERE o.ip = n.ip AND o.fresh);
