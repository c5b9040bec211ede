-- name: all
SELECT s.name, s.sessions,
    coalesce((SELECT jsonb_agg(jsonb_build_object('host', a.host, 'port', a.port)
        ORDER BY a.position) FROM pmta_server_address a WHERE a.server = s.name), '[]') AS addresses
FROM pmta_server s ORDER BY s.name;

-- name: add
INSERT INTO pmta_server (name, created) VALUES ($1, $2) ON CONFLICT DO NOTHING;

-- name: drop_addresses
DELETE FROM pmta_server_address WHERE server = $1;

-- name: add_address
INSERT INTO pmta_server_address (server, position, host, port) VALUES ($1, $2, $3, $4);
