-- Claims whose commit nobody answered, and that we therefore did not begin.
UPDATE held
SET state = 'held', claimant = '', since = $3
WHERE state = 'claimed' AND claimant = $1 AND id = ANY($2::text[])
RETURNING id
