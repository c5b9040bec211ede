UPDATE hold_request
SET changed = changed + $2, state = $3, error = $4,
    finished = CASE WHEN $3 IN ('done', 'failed') THEN to_timestamp($5 / 1000.0) END
WHERE id = $1
