-- name: put
-- NULL: there is no such server.
INSERT INTO pmta_status (server, agent, at, body)
SELECT name, $2, $3::bigint, $4::text::jsonb FROM pmta_server WHERE name = $1
ON CONFLICT (server) DO UPDATE SET agent = excluded.agent, at = excluded.at, body = excluded.body
RETURNING server;

-- name: all
SELECT server, agent, at, body::text AS body FROM pmta_status ORDER BY server;
