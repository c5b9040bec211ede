-- name: idle
SELECT name FROM virtual_mta WHERE server = $1 AND state IN ('new', 'paused', 'retiring')
ORDER BY name LIMIT $2;

-- name: full
-- Of a server: all but those that were counted as empty.
DELETE FROM pmta_drained d USING virtual_mta v
WHERE v.name = d.vmta AND v.server = $1 AND d.vmta <> ALL ($2::text[]);

-- name: empty
INSERT INTO pmta_drained (vmta, since)
SELECT name, $3 FROM virtual_mta
WHERE server = $1 AND name = ANY ($2::text[]) AND state IN ('new', 'paused', 'retiring')
ON CONFLICT (vmta) DO NOTHING;

-- name: counted
SELECT v.name, a.heard, d.since, (a.body -> 'queued' ->> v.name)::bigint AS queued
FROM virtual_mta v JOIN pmta_agent a ON a.server = v.server
LEFT JOIN pmta_drained d ON d.vmta = v.name
WHERE v.name = ANY ($1::text[]);
