-- Probes control asked for (sent = 0), one at a time, whoever takes it.
DELETE FROM probe WHERE id IN (
    SELECT id FROM probe WHERE sent = 0 ORDER BY id LIMIT 10 FOR UPDATE SKIP LOCKED)
RETURNING id, server
