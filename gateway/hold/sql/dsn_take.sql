-- Marked before it is sent: a report may be lost, but never comes twice.
UPDATE hold_event SET dsn = 'sending'
WHERE id IN (SELECT id FROM hold_event WHERE dsn = 'wanted' ORDER BY id LIMIT 20
             FOR UPDATE SKIP LOCKED)
RETURNING id, at, tenant, message, kind, message_id, sender, recipient, detail, envid, orcpt
