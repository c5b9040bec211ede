-- name: last
SELECT number, encoded, digest, who FROM generation ORDER BY number DESC LIMIT 1;

-- name: add
INSERT INTO generation (number, encoded, digest, created, who) VALUES ($1, $2, $3, $4, $5);

-- name: ledger
SELECT incarnation, opened FROM ledger WHERE name = $1;

-- name: set_ledger
INSERT INTO ledger (name, incarnation, opened) VALUES ($1, $2, $3)
ON CONFLICT (name) DO UPDATE SET incarnation = excluded.incarnation, opened = excluded.opened;
