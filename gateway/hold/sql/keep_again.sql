-- Behind keep.sql: messages again whose first commit was settled as not done. Their tombstones
-- become the rows, if no later settling has touched them since ($3).
ON CONFLICT (bucket, id) DO UPDATE SET
    body = excluded.body, tenant = excluded.tenant, pool = excluded.pool,
    provider = excluded.provider, mailbox = excluded.mailbox, bulk = excluded.bulk,
    recipient = excluded.recipient, notify = excluded.notify, orcpt = excluded.orcpt,
    campaign = excluded.campaign, key = excluded.key, message_id = excluded.message_id,
    size = excluded.size, arrived = excluded.arrived, state = excluded.state,
    since = excluded.since, reason = excluded.reason, detail = excluded.detail,
    until = excluded.until, waiting = excluded.waiting, due = excluded.due,
    attempt = excluded.attempt, server = excluded.server, vmta = excluded.vmta,
    envelope = excluded.envelope, failures = excluded.failures, behind = excluded.behind,
    whole = excluded.whole
WHERE held.state = 'tombstone' AND held.failures = $3
RETURNING id
