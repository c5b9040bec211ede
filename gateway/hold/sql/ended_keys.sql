-- Keys of messages that ended without being sent, newest first.
SELECT key, id FROM held
WHERE (state = 'refused' OR (state = 'done' AND ending = 'withdrawn')) AND since >= $1 AND key <> ''
ORDER BY since DESC LIMIT $2
