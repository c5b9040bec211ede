-- Which of these (message, attempt) PowerMTA has a record of; attempt 0 asks for any.
SELECT DISTINCT w.message, w.attempt
FROM unnest($1::text[], $2::int[]) AS w (message, attempt)
JOIN receipt r ON r.message = w.message AND (w.attempt = 0 OR r.attempt = w.attempt)
