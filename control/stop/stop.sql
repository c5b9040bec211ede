-- All sending is stopped while its one row is there.

-- name: standing
SELECT since, who, reason FROM sending_stop;

-- name: stop
INSERT INTO sending_stop (since, who, reason) VALUES ($1, $2, $3);

-- name: start
DELETE FROM sending_stop;

-- name: waiting
SELECT count(*) FROM held WHERE state = 'held';
