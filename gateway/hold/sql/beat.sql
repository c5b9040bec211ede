INSERT INTO hold_claimant (name, seen) VALUES ($1, clock_timestamp())
ON CONFLICT (name) DO UPDATE SET seen = clock_timestamp()
