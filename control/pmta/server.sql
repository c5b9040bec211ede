-- name: names
SELECT name FROM pmta_server ORDER BY name;

-- name: add
-- Not by ON CONFLICT: a server that is there would take a number for nothing.
INSERT INTO pmta_server (name, created)
SELECT $1, $2 WHERE NOT EXISTS (SELECT 1 FROM pmta_server WHERE name = $1);

-- name: one
SELECT name FROM pmta_server WHERE name = $1 FOR UPDATE;

-- name: ips
SELECT host(ip) AS ip FROM virtual_mta WHERE server = $1 ORDER BY ip;

-- name: open
-- Charged there, and nobody knows yet whether it was taken.
SELECT count(*) FROM held WHERE server = $1 AND state IN ('claimed', 'doubt');

-- name: remove
DELETE FROM pmta_server WHERE name = $1;

-- name: drop_addresses
DELETE FROM pmta_server_address WHERE server = $1;

-- name: add_address
INSERT INTO pmta_server_address (server, position, host, port) VALUES ($1, $2, $3, $4);

-- name: addresses
SELECT array_agg(host || ':' || port ORDER BY position) FROM pmta_server_address WHERE server = $1;

-- name: was_there
SELECT EXISTS (SELECT FROM pmta_server WHERE name = $1)
    OR EXISTS (SELECT FROM audit_log WHERE action = 'server.remove' AND subject = $1);
