-- name: add
INSERT INTO pmta_version (server, digest, files, keys, generation, who, why, at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8) RETURNING version;

-- name: add_key
INSERT INTO pmta_key (name, sealed) VALUES ($1, $2)
ON CONFLICT (name) DO UPDATE SET sealed = excluded.sealed;

-- name: one
SELECT version, server, digest, files, keys, generation, who, why, at
FROM pmta_version WHERE server = $1 AND version = $2;

-- name: list
-- Without their files.
SELECT v.version, v.server, v.digest, v.who, v.why, v.at, v.withdrawn,
    CASE WHEN v.withdrawn = '' THEN v.generation ELSE 0 END AS generation,
    CASE WHEN d.version = v.version THEN d.instead ELSE '' END AS instead,
    coalesce(d.version = v.version, false) AS desired,
    coalesce((a.body ->> 'running')::bigint = v.version, false) AS running
FROM pmta_version v
LEFT JOIN pmta_desired d ON d.server = v.server
LEFT JOIN pmta_agent a ON a.server = v.server
WHERE ($1::text IS NULL OR v.server = $1) AND {after} ORDER BY {order} LIMIT {limit};

-- name: withdraw
UPDATE pmta_version SET withdrawn = $2 WHERE version = $1;

-- name: keys
SELECT name, sealed FROM pmta_key WHERE name = ANY ($1);

-- name: forget
-- Of server $1 all but the newest $2, and as many that were withdrawn: those never push out what ran.
-- Never what it runs or is to run.
DELETE FROM pmta_version v WHERE v.server = $1
    AND v.version < (SELECT o.version FROM pmta_version o
        WHERE o.server = $1 AND (o.withdrawn = '') = (v.withdrawn = '')
        ORDER BY o.version DESC OFFSET $2 - 1 LIMIT 1)
    AND NOT EXISTS (SELECT FROM pmta_desired d WHERE d.version = v.version)
    AND NOT EXISTS (SELECT FROM pmta_agent a WHERE a.server = v.server
        AND (a.body ->> 'running')::bigint = v.version)
RETURNING v.version;

-- name: forget_keys
DELETE FROM pmta_key WHERE NOT EXISTS (SELECT FROM pmta_version v WHERE name = ANY (v.keys));
