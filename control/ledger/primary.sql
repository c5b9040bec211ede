-- name: known
SELECT k.system, k.timeline, k.synchronous, k.beats,
    s.system_identifier::text AS real_system, hold_timeline() AS real_timeline,
    current_setting('synchronous_standby_names') <> ''
        AND current_setting('synchronous_commit') IN ('on', 'remote_apply') AS waits
FROM primary_server k, pg_control_system() s;

-- name: beat
UPDATE primary_server SET beats = beats + 1, synchronous = $1 RETURNING beats;

-- name: record
-- $1: beats the ledger has heard.
UPDATE primary_server SET beats = greatest(beats, $1) + 1, synchronous = false,
    timeline = hold_timeline(),
    system = (SELECT system_identifier::text FROM pg_control_system());

-- name: another_list
-- Of suppressions: numbers of changes that are gone are given once more, and gateways that read them
-- would not see it.
UPDATE suppression_state SET lineage = gen_random_uuid()::text;

-- name: absent
-- Messages of $1 that have no row. Ids of rows of one recipient of several go on behind the message's.
SELECT unnest($1::text[]) AS message EXCEPT SELECT left(id, 27) FROM held;

-- name: newest
SELECT coalesce(max(arrived), 0) FROM held;
