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
