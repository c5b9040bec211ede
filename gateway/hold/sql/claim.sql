UPDATE held h
SET state = 'claimed', since = $1, claimant = $2, attempt = w.attempt, server = w.server,
    vmta = w.vmta, envelope = w.envelope
FROM unnest($3::int[], $4::text[], $5::int[], $6::text[], $7::text[], $8::text[])
    AS w (bucket, id, attempt, server, vmta, envelope)
WHERE h.bucket = w.bucket AND h.id = w.id AND h.state = 'held'
