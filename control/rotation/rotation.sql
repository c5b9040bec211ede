-- name: domain
-- Locked: its stages are taken one by one.
SELECT d.tenant, d.domain, d.dkim_selector, d.dkim_public, d.dkim_private, r.selector, r.public,
    r.private, r.seen, r.switched
FROM sending_domain d LEFT JOIN dkim_rotation r ON r.tenant = d.tenant AND r.domain = d.domain
WHERE d.domain = $1 AND ($2::text IS NULL OR d.tenant = $2)
ORDER BY d.tenant COLLATE "C" LIMIT 1 FOR UPDATE OF d;

-- name: begin
INSERT INTO dkim_rotation (tenant, domain, selector, public, private, began)
VALUES ($1, $2, $3, $4, $5, $6);

-- name: sign
-- The new key, by who takes the former one into the rotation in the same transaction.
UPDATE sending_domain SET dkim_selector = $3, dkim_public = $4, dkim_private = $5
WHERE tenant = $1 AND domain = $2;

-- name: former
UPDATE dkim_rotation SET selector = $3, public = $4, private = $5, switched = $6, said = ''
WHERE tenant = $1 AND domain = $2;

-- name: end
DELETE FROM dkim_rotation WHERE tenant = $1 AND domain = $2;

-- name: forget_key
-- Of versions of PowerMTA's configuration that nobody is to run any more.
DELETE FROM pmta_key WHERE name = $1;

-- name: signing_still
-- Servers that run, or are to run, a version that names key file $1.
SELECT DISTINCT v.server FROM pmta_version v
LEFT JOIN pmta_desired d ON d.version = v.version
LEFT JOIN pmta_agent a ON a.server = v.server
WHERE $1 = ANY (v.keys) AND (d.version IS NOT NULL OR (a.body ->> 'running')::bigint = v.version)
ORDER BY v.server;

-- name: all
-- Those that were not looked at for longest first.
SELECT r.tenant, r.domain, r.selector, r.public, r.began, r.seen, r.switched, d.dkim_selector
FROM dkim_rotation r JOIN sending_domain d ON d.tenant = r.tenant AND d.domain = r.domain
ORDER BY r.looked NULLS FIRST, r.tenant, r.domain;

-- name: looked
-- Of the key that was asked for: another one may have begun meanwhile.
UPDATE dkim_rotation SET looked = $4, seen = $5, said = $6
WHERE tenant = $1 AND domain = $2 AND selector = $3 AND switched IS NULL;

-- name: said
UPDATE dkim_rotation SET looked = $4, said = $5
WHERE tenant = $1 AND domain = $2 AND selector = $3;
