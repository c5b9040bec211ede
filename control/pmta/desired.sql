-- name: one
SELECT server, version, offer, overwrite, settled, instead, held, who, at FROM pmta_desired
WHERE server = $1;

-- name: held
SELECT server, version, offer, overwrite, settled, instead, held, who, at FROM pmta_desired
WHERE held ORDER BY server;

-- name: put
-- A new offer, whatever was wanted before.
INSERT INTO pmta_desired (server, version, offer, overwrite, settled, instead, held, who, at)
VALUES ($1, $2, nextval('pmta_offer'), $3, $4, $5, $6, $7, $8)
ON CONFLICT (server) DO UPDATE SET version = excluded.version, offer = excluded.offer,
    overwrite = excluded.overwrite, settled = excluded.settled, instead = excluded.instead,
    held = excluded.held, who = excluded.who, at = excluded.at
RETURNING offer;

-- name: put_back
-- In the place of offer $9, should that still stand.
UPDATE pmta_desired SET version = $2, offer = nextval('pmta_offer'), overwrite = $3, settled = $4,
    instead = $5, held = $6, who = $7, at = $8
WHERE server = $1 AND offer = $9
RETURNING offer;

-- name: drop
DELETE FROM pmta_desired WHERE server = $1 AND offer = $2;

-- name: stands
-- Locked until the transaction ends: nobody makes another offer meanwhile.
SELECT offer FROM pmta_desired WHERE server = $1 FOR UPDATE;

-- name: settle
-- What is held is not what the plan says, and stays so.
UPDATE pmta_desired SET settled = $2, instead = CASE WHEN held THEN instead ELSE '' END
WHERE server = $1 AND offer = $3;

-- name: release
UPDATE pmta_desired SET held = false WHERE server = $1 AND offer = $2;

-- name: carry
-- Plan $1 has nothing new for PowerMTA: what was right for the one before is right for it.
UPDATE pmta_desired SET settled = $1
WHERE settled = (SELECT max(number) FROM generation WHERE number < $1);

-- name: unsettled
-- Servers with an agent whose wanted version nobody has compared with the last plan.
SELECT a.server FROM pmta_agent a LEFT JOIN pmta_desired d ON d.server = a.server
WHERE d.settled IS DISTINCT FROM (SELECT max(number) FROM generation) ORDER BY a.server;

-- name: standing
SELECT a.server, a.agent, a.heard, a.fetched, a.said_of, a.body::text AS body, d.version, d.offer,
    d.instead, d.held, d.settled, d.at AS offered, v.digest,
    (SELECT count(*) = 1 FROM pmta_server) AS alone
FROM pmta_agent a
LEFT JOIN pmta_desired d ON d.server = a.server
LEFT JOIN pmta_version v ON v.version = d.version
WHERE ($1::text[] IS NULL OR a.server = ANY ($1)) ORDER BY a.server;
