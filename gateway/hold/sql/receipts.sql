-- Which of these (message, attempt, recipient) PowerMTA has a record of; attempt 0 asks for any,
-- recipient 0 too. A record that names no recipient is one of each.
SELECT DISTINCT w.message, w.attempt, w.recipient
FROM unnest($1::text[], $2::int[], $3::bigint[]) AS w (message, attempt, recipient)
JOIN receipt r ON r.message = w.message AND (w.attempt = 0 OR r.attempt = w.attempt)
WHERE w.recipient = 0 OR r.recipients = '{}' OR w.recipient = ANY(r.recipients)
