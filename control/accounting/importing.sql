-- name: begin
-- The file is known by how it begins and its size, whatever it is called.
INSERT INTO accounting_import (digest, size, name, server, began, who)
VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT (digest, size) DO UPDATE SET who = accounting_import.who
RETURNING id;

-- name: one
SELECT * FROM accounting_import WHERE id = $1;

-- name: list
SELECT * FROM accounting_import
WHERE ($1::text IS NULL OR server = $1) AND ($2::boolean IS NULL OR $2 = (whole AND taken >= stored))
    AND {after} ORDER BY {order} LIMIT {limit};

-- name: advance
-- Only from where it is: a part that was sent twice is stored once.
UPDATE accounting_import SET stored = $3, whole = $4
WHERE id = $1 AND stored = $2 AND NOT whole
RETURNING server, who;

-- name: counted
UPDATE accounting_import SET counted = counted + $2, repeated = repeated + $3,
    set_aside = set_aside + $4, taken = taken + $5
WHERE id = $1;
