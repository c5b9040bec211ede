-- name: state
SELECT key, lineage, change FROM suppression_state;

-- name: changes
-- What changed after a number, in the order of numbers, which is that of commits.
SELECT digest, reason, change, CASE WHEN removed IS NULL THEN coalesce(until, $3) ELSE 0 END AS ends
FROM suppression WHERE change > $1 ORDER BY change LIMIT $2;

-- name: whole
SELECT digest, reason, coalesce(until, $3) AS ends FROM suppression
WHERE digest > $1 AND removed IS NULL ORDER BY digest LIMIT $2;
