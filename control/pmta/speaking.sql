-- name: servers
SELECT server FROM pmta_agent ORDER BY server;

-- name: there
SELECT EXISTS (SELECT FROM pmta_server WHERE name = $1);

-- name: heard
INSERT INTO pmta_agent (server, agent, heard) VALUES ($1, $2, $3)
ON CONFLICT (server) DO UPDATE SET agent = excluded.agent, heard = excluded.heard;

-- name: fetched
-- An answer of another node may be written late.
UPDATE pmta_agent SET fetched = greatest(fetched, $2) WHERE server = $1;

-- name: said
INSERT INTO pmta_agent (server, agent, heard, said_of, body) VALUES ($1, $2, $3, 0, $4::text::jsonb)
ON CONFLICT (server) DO UPDATE SET agent = excluded.agent, heard = excluded.heard,
    said_of = pmta_agent.fetched, body = excluded.body;

-- name: released
SELECT a.server, a.agent, a.heard, d.version FROM pmta_agent a
LEFT JOIN pmta_desired d ON d.server = a.server
WHERE lower(a.server) = lower($1) FOR UPDATE OF a;

-- name: release
DELETE FROM pmta_agent WHERE server = $1;

-- name: release_desired
DELETE FROM pmta_desired WHERE server = $1;
