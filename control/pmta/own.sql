-- name: all
SELECT name, tenant, 'virtual-mta' AS kind, own_lines AS lines FROM virtual_mta
WHERE own_lines <> ''
UNION ALL
SELECT name, tenant, 'virtual-mta-pool', own_lines FROM pool WHERE own_lines <> ''
ORDER BY name;

-- name: one
-- Names are PowerMTA's: without regard to case.
SELECT name, tenant, 'virtual-mta' AS kind, own_lines AS lines FROM virtual_mta
WHERE lower(name) = lower($1)
UNION ALL
SELECT name, tenant, 'virtual-mta-pool', own_lines FROM pool WHERE lower(name) = lower($1);

-- name: set_virtual_mta
UPDATE virtual_mta SET own_lines = $2 WHERE name = $1;

-- name: set_virtual_mta_pool
UPDATE pool SET own_lines = $2 WHERE name = $1;

-- name: beside
-- Other pools of a pool's VirtualMTAs that have `<domain>` blocks.
SELECT DISTINCT o.pool, m.vmta FROM pool_member m
JOIN pool_member o ON o.vmta = m.vmta AND o.pool <> m.pool
JOIN pool p ON p.name = o.pool
WHERE m.pool = $1 AND p.own_lines ~* '<domain\M'
ORDER BY o.pool, m.vmta;
