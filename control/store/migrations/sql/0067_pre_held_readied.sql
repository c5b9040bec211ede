-- The index of what became ready is for who asks by that alone. As long as PostgreSQL believes that
-- little may go, any index of what may go seems short to it, and a line was looked for by reading
-- all that waits. Whoever asks for `readied >= …` asks for no null; nobody else does.
DROP INDEX held_readied;
CREATE INDEX held_readied ON held (readied)
    WHERE state = 'held' AND NOT waiting AND NOT paused AND readied IS NOT NULL;

-- Rows of lines behind a place of each, oldest first: as the index has them. As long as PostgreSQL
-- believes that little may go, reading a whole line and sorting that seems as short to it.
CREATE FUNCTION hold_rows(
    pools text[], mailboxes text[], providers text[], bulks bool[], days int[], moments bigint[],
    ids text[], numbers int[]
) RETURNS TABLE (line bigint, bucket int, arrived bigint, id text, size int)
LANGUAGE plpgsql STABLE SET enable_sort = off AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    SELECT w.line, h.bucket, h.arrived, h.id, h.size
    FROM unnest(pools, mailboxes, providers, bulks, days, moments, ids, numbers)
        WITH ORDINALITY AS w (pool, mailbox, provider, bulk, day, moment, id, number, line)
    CROSS JOIN LATERAL (
        SELECT bucket, arrived, id, size
        FROM held
        WHERE pool = w.pool AND mailbox = w.mailbox AND provider = w.provider AND bulk = w.bulk
            AND bucket >= w.day AND (bucket, arrived, id) > (w.day, w.moment, w.id)
            AND state = 'held' AND NOT waiting AND NOT paused
        ORDER BY bucket, arrived, id
        LIMIT w.number
    ) AS h;
END $$;
