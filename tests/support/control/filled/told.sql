-- What control and its neighbours say of themselves, a statement each; $1: the moment, calendar
-- milliseconds.

-- name: alerts
INSERT INTO alert (key, source, severity, what, next, first_seen, last_seen, count, recovered,
        acknowledged, acknowledged_by, tell_at)
    SELECT key, 'event', severity, what, next, $1::bigint - 9e6::bigint, $1, 12, recovered, known, who, 0
    FROM unnest($2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::bigint[],
        $8::bigint[]) AS t (key, severity, what, next, who, known, recovered);

-- name: mutes
INSERT INTO alert_mute (key, until, who, reason) SELECT $2, $1::bigint + 9e6::bigint, $3, $4;

-- name: jobs
INSERT INTO job_run (name, due, by_hand, state, attempts, node, started, ended, seconds, said,
        until)
    SELECT name, $1::bigint - age * 3600000, by_hand, state, attempts, $2, $1::bigint - age * 3600000,
        $1::bigint - age * 3600000 + 1500, 1.5, said, now()
    FROM unnest($3::text[], $4::bigint[], $5::text[], $6::text[], $7::int[], $8::text[])
        AS t (name, age, by_hand, state, attempts, said);

-- name: lists
INSERT INTO blocklist_answer (subject, zone, kind, state, asked, trouble, known, since, answered,
        codes, meaning, said)
    SELECT subject, zone, 'ip', state, $1, trouble, known, $1::bigint - 8e7::bigint, $1,
        string_to_array(codes, ','), meaning, said
    FROM unnest($2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[],
        $8::text[], $9::text[]) AS t (subject, zone, state, trouble, known, codes, meaning, said);

-- name: decisions
INSERT INTO warmup_decision (at, day, tenant, vmta, ip, pool, provider, act, rule, sentence,
        severity, stage_before, stage_after, state_before, state_after, counted, watched,
        thresholds, who, reason, since)
    SELECT $1::bigint - n * 86400000::bigint, ($1::bigint / 86400000 - n)::int, 'acme', 'vmta-192-0-2-11',
        '192.0.2.11', 'acme', '', 'advance', 'days', $2, 'info', 5 - n, 6 - n, 'warming',
        'warming', '{}', '{}', '{}', $3, $4, n
    FROM generate_series(1, 4) n ORDER BY n DESC;

-- name: versions
INSERT INTO pmta_version (server, digest, files, keys, generation, who, why, at)
    SELECT 'pmta2', n::text, ($3::bytea[])[n], '{}', n, $2, $4, $1::bigint - n * 1000
    FROM generate_series(1, 2) n;

-- name: desired
INSERT INTO pmta_desired (server, version, offer, overwrite, instead, who, at)
    SELECT 'pmta2', max(version), 1, false, $2, $3, $1 FROM pmta_version WHERE server = 'pmta2';

-- name: agent
INSERT INTO pmta_agent (server, agent, heard, said_of, body) SELECT 'pmta2', $2, $1, 1, $3::text::jsonb;

-- name: status
INSERT INTO pmta_status (server, agent, at, body) VALUES ('pmta2', $2, $1, $3::text::jsonb);

-- name: stream
INSERT INTO accounting_stream (server, path, file, since, read_at, records, skipped, gap, problem,
        agent, behind, received, named)
    VALUES ('pmta2', '/var/log/pmta', $2, 0, $1, 1204331, 3, $3, $4, $5, 183000, 1204000, 1203998);

-- name: audit
INSERT INTO audit_log (at, who, action, subject, before, after, reason, kind, source, tenant)
    SELECT now() - make_interval(mins => n), $1, 'ip.set', $2, $3::text::jsonb, $4::text::jsonb, $5, 'token', '192.0.2.200',
        'acme'
    FROM generate_series(1, 5) n;

-- name: rotation
UPDATE dkim_rotation SET said = $1, looked = began;
