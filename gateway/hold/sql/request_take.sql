SELECT id, action, tenant, campaign, recipient, reason, message, outcome, changed
FROM hold_request WHERE state IN ('waiting', 'running')
ORDER BY id LIMIT 1 FOR UPDATE SKIP LOCKED
