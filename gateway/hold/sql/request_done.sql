UPDATE hold_request
SET changed = changed + $2, state = $3, error = $4,
    recipient = CASE WHEN action = 'forget' AND $3 = 'done' THEN '' ELSE recipient END,
    finished = CASE WHEN $3 IN ('done', 'failed') THEN to_timestamp($5 / 1000.0) END
WHERE id = $1
