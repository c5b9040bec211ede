-- name: add
INSERT INTO generation (number, encoded, digest, created, who, basis, pmta_digest)
VALUES ($1, $2, $3, $4, $5, $6, $7);

-- name: let_go
-- Parts that generation $1 has not, of those the last one had; $2: all that it has.
UPDATE plan_part SET gone = $1
WHERE gone IS NULL AND NOT EXISTS (SELECT FROM unnest($2::bytea[]) AS d WHERE d = plan_part.digest);

-- name: take_back
-- Of those that an earlier one had.
UPDATE plan_part SET gone = NULL WHERE gone IS NOT NULL AND digest = ANY ($1::bytea[]);

-- name: lacking
SELECT d FROM unnest($1::bytea[]) AS d
WHERE NOT EXISTS (SELECT FROM plan_part p WHERE p.digest = d);

-- name: put
INSERT INTO plan_part (digest, body) SELECT * FROM unnest($1::bytea[], $2::bytea[]);

-- name: bodies
SELECT digest, body FROM plan_part WHERE digest = ANY ($1::bytea[]);

-- name: forget
-- All but the newest $1, the oldest first; $2 at most.
DELETE FROM generation WHERE number IN (
    SELECT number FROM generation
    WHERE number < (SELECT number FROM generation ORDER BY number DESC OFFSET $1 - 1 LIMIT 1)
    ORDER BY number LIMIT $2);

-- name: forget_parts
-- Those that no generation which is kept has; $1 at most.
DELETE FROM plan_part WHERE digest IN (
    SELECT digest FROM plan_part WHERE gone <= (SELECT min(number) FROM generation)
    ORDER BY gone LIMIT $1);
