-- Names by which a thing may be called: $1 as it was given, $2 as a number (0 for none), $3 the
-- tenant it must belong to (NULL: anybody's). A name comes before a number.

-- name: tenant
SELECT name FROM tenant WHERE (name = $1 OR id = $2) AND ($3::text IS NULL OR name = $3)
ORDER BY name <> $1 LIMIT 1;

-- name: pool
SELECT name FROM pool WHERE (name = $1 OR id = $2) AND ($3::text IS NULL OR tenant = $3)
ORDER BY name <> $1 LIMIT 1;

-- name: ip
SELECT host(ip) AS name FROM virtual_mta
WHERE (host(ip) = $1 OR name = $1 OR id = $2) AND ($3::text IS NULL OR tenant = $3)
ORDER BY host(ip) <> $1, name <> $1 LIMIT 1;

-- name: domain
SELECT domain AS name FROM sending_domain
WHERE (domain = $1 OR id = $2) AND ($3::text IS NULL OR tenant = $3)
ORDER BY domain <> $1 LIMIT 1;

-- name: server
-- Nobody's, as far as a tenant is concerned.
SELECT name FROM pmta_server WHERE (name = $1 OR id = $2) AND $3::text IS NULL
ORDER BY name <> $1 LIMIT 1;

-- name: plan
SELECT name FROM warmup_plan WHERE (name = $1 OR id = $2) AND $3::text IS NULL
ORDER BY name <> $1 LIMIT 1;

-- name: mailbox
SELECT address AS name FROM mailbox
WHERE (address = $1 OR id = $2) AND ($3::text IS NULL OR tenant = $3)
ORDER BY address <> $1 LIMIT 1;
