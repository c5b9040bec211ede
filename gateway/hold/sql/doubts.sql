-- Open doubts, oldest first, a page at a time. A divided message's attempt settles its own.
SELECT bucket, id, body AS message, tenant, recipient, key, whole, attempt, server, envelope, since,
       reason, behind, failures
FROM held
WHERE state = 'doubt' AND reason <> 'dividing' AND (since, id) > ($1, $2)
ORDER BY since, id LIMIT $3
