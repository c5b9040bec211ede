-- Claims of processes that are gone: what they sent nobody knows. Never back to held. In doubt since
-- the lease ended, whenever that is noticed: what was sent was sent before, and a gap in the
-- accounting behind that moment may have its receipt.
UPDATE held SET state = 'doubt', since = least($1, since + round($2 * 1000)::bigint),
    reason = 'unknown',
    detail = 'the process that was sending it is gone'
WHERE (bucket, id) IN (
    SELECT bucket, id FROM held
    WHERE state = 'claimed' AND split_part(claimant, '/', 1) NOT IN (
        SELECT name FROM hold_claimant
        WHERE seen > clock_timestamp() - make_interval(secs => $2))
    LIMIT 500 FOR UPDATE SKIP LOCKED)
RETURNING id, key, attempt
