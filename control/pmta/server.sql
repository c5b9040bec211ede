-- name: add
INSERT INTO pmta_server (name, created) VALUES ($1, $2) ON CONFLICT DO NOTHING;

-- name: drop_addresses
DELETE FROM pmta_server_address WHERE server = $1;

-- name: add_address
INSERT INTO pmta_server_address (server, position, host, port) VALUES ($1, $2, $3, $4);
