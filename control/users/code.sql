-- name: secret
SELECT totp, totp_on FROM person WHERE id = $1;

-- name: offer
UPDATE person SET totp = $2, totp_on = false, totp_step = 0 WHERE id = $1;

-- name: step
-- A code is good once, and none before it is any more.
UPDATE person SET totp_step = $2 WHERE id = $1 AND totp_step < $2 RETURNING id;

-- name: on
UPDATE person SET totp_on = true WHERE id = $1;

-- name: recover
DELETE FROM recovery_code WHERE person = $1 AND digest = $2 RETURNING person;

-- name: keep
INSERT INTO recovery_code (person, digest) SELECT $1, unnest($2::bytea[]);

-- name: drop
DELETE FROM recovery_code WHERE person = $1;

-- name: off
UPDATE person SET totp = NULL, totp_on = false WHERE id = $1;
