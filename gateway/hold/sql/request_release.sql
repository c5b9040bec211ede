UPDATE held h
SET paused = false, waiting = false, due = 0, state = 'held', behind = '',
    reason = CASE WHEN h.state = 'doubt' THEN 'absent' ELSE h.reason END,
    detail = CASE WHEN h.state = 'doubt' THEN 'an operator released it from doubt' ELSE h.detail END
FROM unnest($1::int[], $2::text[]) AS w (bucket, id)
WHERE h.bucket = w.bucket AND h.id = w.id
