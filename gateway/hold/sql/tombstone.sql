-- Settles commits nobody answered: waits for a transaction that is still under way; what is
-- returned was not committed and can never be (policy/README.md: hold).
INSERT INTO held (bucket, id, body, tenant, pool, provider, mailbox, bulk, recipient, notify,
                  orcpt, campaign, key, message_id, size, arrived, state, since, reason, detail,
                  until, attempt, failures)
SELECT bucket, id, '', '', '', '', '', true, '', '', '', '', '', '', 0, $3, 'tombstone', $3,
       'tombstone', '', 0, 0, 1
FROM unnest($1::int[], $2::text[]) AS wanted (bucket, id)
ORDER BY id
ON CONFLICT (bucket, id) DO UPDATE SET failures = held.failures + 1
    WHERE held.state = 'tombstone'
RETURNING id, failures
