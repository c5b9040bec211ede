-- Keys of messages that ended without being sent, newest first.
SELECT key, body FROM held
WHERE state = 'refused' AND since >= $1 AND key <> ''
ORDER BY since DESC LIMIT $2
