-- One commit of messages and their rows; a conflict (a tombstone) fails the whole.
-- $1 the contents, $2 the rows (`gateway.hold.rows`). By id, as tombstone.sql locks them.
WITH bodies AS (
    INSERT INTO held_body (bucket, id, sender, flags, ret, envid, codec, content)
    SELECT bucket, id, sender, flags, ret, envid, codec, content FROM unnest($1::hold_message[])
)
INSERT INTO held (bucket, id, body, tenant, pool, provider, mailbox, bulk, recipient, notify,
                  orcpt, campaign, key, message_id, size, arrived, state, since, reason, detail,
                  until, waiting, due, attempt, server, vmta, envelope, failures, behind, whole)
SELECT bucket, id, body, tenant, pool, provider, mailbox, bulk, recipient, notify,
       orcpt, campaign, key, message_id, size, arrived, state, arrived, reason, detail,
       until, waiting, due, attempt, server, vmta, envelope, failures, behind, whole
FROM unnest($2::hold_recipient[])
ORDER BY id
