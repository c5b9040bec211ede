DELETE FROM hold_claimant
WHERE seen < clock_timestamp() - interval '1 day'
    AND NOT EXISTS (SELECT 1 FROM held WHERE state = 'claimed' AND split_part(claimant, '/', 1) = name)
