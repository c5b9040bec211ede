-- name: take
-- Exactly those it sees: what commits later is the next change's.
WITH taken AS (DELETE FROM plan_touched RETURNING kind, name, part)
SELECT DISTINCT kind, name, part FROM taken LIMIT $1;

-- name: look
SELECT DISTINCT kind, name, part FROM plan_touched LIMIT $1;
