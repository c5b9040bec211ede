-- Rows that left the way of others because their campaign was paused, and which is so no more; $2 and
-- $3: the tenants and campaigns that are. What an operator paused himself has another reason.
WITH renewed AS (
    UPDATE held SET paused = false
    WHERE (bucket, id) IN (
        SELECT bucket, id FROM held h
        WHERE state = 'held' AND paused AND reason = 'campaign_paused' AND NOT EXISTS (
            SELECT 1 FROM unnest($2::text[], $3::text[]) AS p (tenant, campaign)
            WHERE p.tenant = h.tenant AND p.campaign = h.campaign)
        LIMIT $1 FOR UPDATE SKIP LOCKED)
    RETURNING 1
)
SELECT count(*) FROM renewed
