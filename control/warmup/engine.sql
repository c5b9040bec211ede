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

-- name: tell_day
INSERT INTO warmup_today (one, day) VALUES (true, $1) ON CONFLICT (one) DO UPDATE SET day = $1;

-- name: tell_default
INSERT INTO warmup_default (stage, quota)
SELECT * FROM unnest($1::integer[], $2::bigint[]) ORDER BY 1
ON CONFLICT (stage) DO UPDATE SET quota = excluded.quota;

-- name: tell_end
DELETE FROM warmup_default WHERE stage > $1;
