-- name: tenant
SELECT name FROM tenant WHERE name = $1 FOR UPDATE;

-- name: all
SELECT network::text AS network FROM tenant_network WHERE tenant = $1 ORDER BY 1;

-- name: part
SELECT network::text AS network FROM tenant_network n
WHERE n.tenant = $1 AND {after} ORDER BY {order} LIMIT {limit};

-- name: other_way
SELECT EXISTS (SELECT 1 FROM tenant_network WHERE tenant = $1 AND network <> $2::text::cidr)
    OR EXISTS (SELECT 1 FROM login WHERE tenant = $1);

-- name: add
INSERT INTO tenant_network (network, tenant) VALUES ($1::text::cidr, $2);

-- name: remove
DELETE FROM tenant_network WHERE network = $1::text::cidr AND tenant = $2;
