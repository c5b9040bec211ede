-- One commit of messages and their rows; a conflict (a tombstone) fails the whole.
-- $1…$7 the contents, $8 the rows as they come in `gateway.hold.store.COLUMNS`
WITH bodies AS (
    INSERT INTO held_body (bucket, id, sender, flags, ret, codec, content)
    SELECT * FROM unnest($1::int[], $2::text[], $3::bytea[], $4::smallint[], $5::bytea[],
                         $6::text[], $7::bytea[])
)
INSERT INTO held (bucket, id, body, tenant, pool, provider, mailbox, bulk, recipient, notify,
                  orcpt, campaign, key, message_id, size, arrived, state, since, reason, detail,
                  until, waiting, due, attempt, server, vmta, envelope, failures, behind)
SELECT * FROM unnest($8::int[], $9::text[], $10::text[], $11::text[], $12::text[], $13::text[],
                     $14::text[], $15::bool[], $16::bytea[], $17::bytea[], $18::bytea[],
                     $19::text[], $20::text[], $21::text[], $22::int[], $23::bigint[],
                     $24::text[], $25::bigint[], $26::text[], $27::text[], $28::bigint[],
                     $29::bool[], $30::bigint[], $31::int[], $32::text[], $33::text[],
                     $34::text[], $35::int[], $36::text[])
