-- name: last
SELECT number, encoded, digest, who FROM generation ORDER BY number DESC LIMIT 1;

-- name: add
INSERT INTO generation (number, encoded, digest, created, who) VALUES ($1, $2, $3, $4, $5);
