-- One message again, after its first commit was settled as not done: its tombstone becomes the
-- row, if no later settling has touched it since ($37).
WITH kinds AS MATERIALIZED (
    SELECT * FROM unnest(
        $14::int[], $15::smallint[], $16::bytea[], $17::text[], $18::text[], $19::text[],
        $20::text[], $21::text[], $22::bool[], $23::bytea[], $24::text[], $25::text[],
        $26::text[], $27::text[], $28::bigint[], $29::bool[], $30::bigint[], $31::int[],
        $32::text[], $33::text[], $34::text[], $35::int[], $36::text[]
    ) WITH ORDINALITY AS kind (
        bucket, flags, ret, codec, tenant, pool,
        provider, mailbox, bulk, notify, campaign, state,
        reason, detail, until, waiting, due, attempt,
        server, vmta, envelope, failures, behind, number
    )
), bodies AS (
    INSERT INTO held_body (bucket, id, sender, flags, ret, codec, content)
    SELECT kind.bucket, message.id, message.sender, kind.flags, kind.ret, kind.codec,
           message.content
    FROM unnest($1::text[], $2::bytea[], $3::bytea[], $4::int[])
             AS message (id, sender, content, kind)
    JOIN kinds AS kind ON kind.number = message.kind
)
INSERT INTO held (bucket, id, body, tenant, pool, provider, mailbox, bulk, recipient, notify,
                  orcpt, campaign, key, message_id, size, arrived, state, since, reason, detail,
                  until, waiting, due, attempt, server, vmta, envelope, failures, behind)
SELECT kind.bucket, line.id, line.body, kind.tenant, kind.pool, kind.provider, kind.mailbox,
       kind.bulk, line.recipient, kind.notify, line.orcpt, kind.campaign, line.key,
       line.message_id, line.size, line.arrived, kind.state, line.arrived, kind.reason,
       kind.detail, kind.until, kind.waiting, kind.due, kind.attempt, kind.server, kind.vmta,
       kind.envelope, kind.failures, kind.behind
FROM unnest($5::text[], $6::text[], $7::bytea[], $8::bytea[], $9::text[], $10::text[],
            $11::int[], $12::bigint[], $13::int[])
         AS line (id, body, recipient, orcpt, key, message_id, size, arrived, kind)
JOIN kinds AS kind ON kind.number = line.kind
ORDER BY line.id
ON CONFLICT (bucket, id) DO UPDATE SET
    body = excluded.body, tenant = excluded.tenant, pool = excluded.pool,
    provider = excluded.provider, mailbox = excluded.mailbox, bulk = excluded.bulk,
    recipient = excluded.recipient, notify = excluded.notify, orcpt = excluded.orcpt,
    campaign = excluded.campaign, key = excluded.key, message_id = excluded.message_id,
    size = excluded.size, arrived = excluded.arrived, state = excluded.state,
    since = excluded.since, reason = excluded.reason, detail = excluded.detail,
    until = excluded.until, waiting = excluded.waiting, due = excluded.due,
    attempt = excluded.attempt, server = excluded.server, vmta = excluded.vmta,
    envelope = excluded.envelope, failures = excluded.failures, behind = excluded.behind
WHERE held.state = 'tombstone' AND held.failures = $37
RETURNING id
