DELETE FROM hold_claimant WHERE name = $1
