-- name: add
INSERT INTO pool (name, tenant, created) VALUES ($1, $2, $3);

-- name: holder
SELECT 'pool ' || name AS holder FROM pool WHERE lower(name) = lower($1)
UNION ALL SELECT 'VirtualMTA ' || name FROM virtual_mta WHERE lower(name) = lower($1) LIMIT 1;
