-- The hold queue, the evidence that settles doubt, and what a restored ledger is rebuilt from.
--
-- Calendar times are bigint milliseconds, as in the ledger, given by the caller. Only
-- gateway/hold/ moves held messages through their states; control asks by hold_request rows.
-- Leases compare two readings of the server's own clock: real elapsed time, not the calendar.

-- One row per recipient. `bucket` is the calendar day of arrival: days are dropped as partitions,
-- so that draining millions of rows leaves no bloat. With several recipients `id` is the message
-- id + 'x' + number, and `body` the message id.
CREATE TABLE held (
    bucket      integer NOT NULL,
    id          text NOT NULL,
    body        text NOT NULL,
    tenant      text NOT NULL,
    pool        text NOT NULL,
    provider    text NOT NULL,
    mailbox     text NOT NULL,
    -- true: it carries a campaign id, List-Unsubscribe or Precedence
    bulk        boolean NOT NULL,
    recipient   bytea NOT NULL,
    notify      bytea NOT NULL,
    orcpt       bytea NOT NULL,
    campaign    text NOT NULL,
    -- digest of the duplicate key; '' has none
    key         text NOT NULL,
    -- the Message-ID header: MailWizz finds bounces by it
    message_id  text NOT NULL,
    size        integer NOT NULL,
    arrived     bigint NOT NULL,
    -- 'tombstone': the commit of this id was unknown to its gateway, and now can never happen
    state       text NOT NULL
                CHECK (state IN ('held', 'claimed', 'doubt', 'done', 'refused', 'tombstone')),
    -- when it entered its state
    since       bigint NOT NULL,
    -- why it waits: a limit's name (policy.denial.Limit), 'failed', 'unknown', 'restored', …
    reason      text NOT NULL,
    detail      text NOT NULL,
    -- until when the limit binds; 0 when nobody knows
    until       bigint NOT NULL,
    -- it waits by itself until `due`; not looked at before
    waiting     boolean NOT NULL DEFAULT false,
    due         bigint NOT NULL DEFAULT 0,
    -- an operator stopped it
    paused      boolean NOT NULL DEFAULT false,
    -- number of the last attempt; server, VirtualMTA and envelope id of that attempt
    attempt     integer NOT NULL,
    server      text NOT NULL DEFAULT '',
    vmta        text NOT NULL DEFAULT '',
    envelope    text NOT NULL DEFAULT '',
    failures    integer NOT NULL DEFAULT 0,
    claimant    text NOT NULL DEFAULT '',
    -- in doubt behind another message: the id whose fate decides
    behind      text NOT NULL DEFAULT '',
    -- how it ended: relayed, duplicate, refused, expired, failed, dropped, forgotten
    ending      text NOT NULL DEFAULT '',
    verdict     text NOT NULL DEFAULT '',
    PRIMARY KEY (bucket, id)
) PARTITION BY RANGE (bucket);

CREATE INDEX held_release ON held (pool, provider, bulk, arrived, id)
    WHERE state = 'held' AND NOT waiting AND NOT paused;
CREATE INDEX held_due ON held (due) WHERE state = 'held' AND waiting;
CREATE INDEX held_ended ON held (since, id) WHERE state IN ('done', 'refused');
CREATE INDEX held_open ON held (state, claimant, since) WHERE state IN ('claimed', 'doubt');

CREATE TABLE held_body (
    bucket      integer NOT NULL,
    id          text NOT NULL,
    sender      bytea NOT NULL,
    -- of MAIL: 1 BODY=8BITMIME, 2 SMTPUTF8
    flags       smallint NOT NULL,
    ret         bytea NOT NULL,
    -- how `content` is kept: name of the codec, then ':' and the id of the key if it is sealed
    codec       text NOT NULL,
    -- header block (without the fields we strip) and body, dot-stuffed as they came
    content     bytea NOT NULL,
    PRIMARY KEY (bucket, id)
) PARTITION BY RANGE (bucket);
-- It is compressed already.
ALTER TABLE held_body ALTER COLUMN content SET STORAGE EXTERNAL;

-- Gateways need a partition before the first message of a day.
CREATE FUNCTION hold_partition(day integer) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    -- Asked of the table, not of to_regclass: that remembers a "no" from before the lock.
    IF EXISTS (SELECT 1 FROM pg_class WHERE relname = 'held_' || day) THEN
        RETURN;
    END IF;
    PERFORM pg_advisory_xact_lock(103686592135171);
    IF NOT EXISTS (SELECT 1 FROM pg_class WHERE relname = 'held_' || day) THEN
        -- Attached, not created as partitions: that would lock out everybody who commits mail.
        EXECUTE format('CREATE TABLE %I (LIKE held INCLUDING ALL) WITH (fillfactor = 80)',
            'held_' || day);
        EXECUTE format('CREATE TABLE %I (LIKE held_body INCLUDING ALL)', 'held_body_' || day);
        EXECUTE format('ALTER TABLE held_body ATTACH PARTITION %I FOR VALUES FROM (%s) TO (%s)',
            'held_body_' || day, day, day + 1);
        EXECUTE format('ALTER TABLE held ATTACH PARTITION %I FOR VALUES FROM (%s) TO (%s)',
            'held_' || day, day, day + 1);
    END IF;
END $$;

-- Drops the days that only hold messages which ended before `before` (milliseconds). Returns them.
CREATE FUNCTION hold_sweep(before bigint, today integer) RETURNS SETOF integer LANGUAGE plpgsql AS $$
DECLARE
    day integer;
    live boolean;
BEGIN
    PERFORM pg_advisory_xact_lock(103686592135171);
    FOR day IN
        SELECT substr(c.relname, 6)::integer FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
        WHERE i.inhparent = 'held'::regclass ORDER BY 1
    LOOP
        CONTINUE WHEN day >= today;
        EXECUTE format('SELECT EXISTS (SELECT 1 FROM %I WHERE state IN (''held'', ''claimed'', '
            '''doubt'') OR since >= $1)', 'held_' || day) INTO live USING before;
        IF NOT live THEN
            -- In the order in which those who commit mail lock them.
            EXECUTE format('DROP TABLE %I', 'held_body_' || day);
            EXECUTE format('DROP TABLE %I', 'held_' || day);
            RETURN NEXT day;
        END IF;
    END LOOP;
END $$;

-- Processes that may own claimed rows; one not seen for a lease is gone.
CREATE TABLE hold_claimant (
    name        text PRIMARY KEY,
    seen        timestamptz NOT NULL
);

-- The backlog, counted by one process for all.
CREATE TABLE hold_summary (
    one         boolean PRIMARY KEY DEFAULT true CHECK (one),
    taken       timestamptz NOT NULL,
    at          bigint NOT NULL,
    -- seconds the counting took
    took        double precision NOT NULL DEFAULT 0,
    data        jsonb NOT NULL
);

-- What operators ask for; a releaser does it in small transactions and counts.
CREATE TABLE hold_request (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at          timestamptz NOT NULL,
    who         text NOT NULL,
    action      text NOT NULL CHECK (action IN ('pause', 'resume', 'release', 'drop', 'forget')),
    -- all given must match; at least one is given
    tenant      text,
    campaign    text,
    recipient   text,
    reason      text,
    message     text,
    -- also rows in doubt
    force       boolean NOT NULL DEFAULT false,
    state       text NOT NULL DEFAULT 'waiting'
                CHECK (state IN ('waiting', 'running', 'done', 'failed')),
    changed     bigint NOT NULL DEFAULT 0,
    error       text NOT NULL DEFAULT '',
    finished    timestamptz,
    CHECK (num_nonnulls(tenant, campaign, recipient, reason, message) > 0)
);
CREATE INDEX hold_request_open ON hold_request (id) WHERE state IN ('waiting', 'running');

-- What the sender's system is to be told: internal or soft, never hard.
CREATE TABLE hold_event (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at          bigint NOT NULL,
    tenant      text NOT NULL,
    message     text NOT NULL,
    kind        text NOT NULL CHECK (kind IN ('expired', 'failed', 'refused')),
    class       text NOT NULL CHECK (class IN ('internal', 'soft')),
    message_id  text NOT NULL,
    mailbox     text NOT NULL,
    sender      bytea NOT NULL,
    recipient   bytea NOT NULL,
    campaign    text NOT NULL,
    detail      text NOT NULL,
    dsn         text NOT NULL DEFAULT '' CHECK (dsn IN ('', 'wanted', 'sending', 'sent')),
    taken       timestamptz,
    UNIQUE (message)
);
CREATE INDEX hold_event_dsn ON hold_event (id) WHERE dsn IN ('wanted', 'sending');
CREATE INDEX hold_event_new ON hold_event (id) WHERE taken IS NULL;

-- Messages of our own that prove how far a server's receipt stream has been read.
CREATE TABLE probe (
    id          text PRIMARY KEY,
    server      text NOT NULL,
    sent        bigint NOT NULL,
    -- after the dot
    accepted    boolean NOT NULL DEFAULT false,
    -- its r record was read
    read        boolean NOT NULL DEFAULT false
);
CREATE INDEX probe_server ON probe (server, sent);

-- How far the accounting files of a PowerMTA server have been read. It changes in the transaction
-- of the evidence read: that is what makes the evidence exactly once.
CREATE TABLE accounting_stream (
    server      text PRIMARY KEY,
    path        text NOT NULL,
    -- the file being read: its name, inode (0: the next one is still to be chosen), offset, a
    -- digest of the octets before the offset, and the columns its header names
    file        text NOT NULL DEFAULT '',
    inode       bigint NOT NULL DEFAULT 0,
    position    bigint NOT NULL DEFAULT 0,
    mark        text NOT NULL DEFAULT '',
    header      text NOT NULL DEFAULT '',
    -- finished files that were read to their end and are still there
    done        text[] NOT NULL DEFAULT '{}',
    -- calendar time of the first look, or of the oldest record where that is earlier. What was
    -- sent before can never be proved absent.
    since       bigint NOT NULL,
    -- calendar time up to which everything written had been read at the last look
    read_at     bigint NOT NULL DEFAULT 0,
    -- r, d, b and t records read; records of other types, and broken ones
    records     bigint NOT NULL DEFAULT 0,
    skipped     bigint NOT NULL DEFAULT 0,
    -- calendar time of the last gap (a file vanished, shrank or cannot be understood) and what it
    -- was; 0: none. What was sent before it can never be proved absent.
    gap_at      bigint NOT NULL DEFAULT 0,
    gap         text NOT NULL DEFAULT '',
    -- why nothing is read now
    problem     text NOT NULL DEFAULT ''
);

-- Envelope ids of ours that PowerMTA has a record of: evidence of delivery to it. `day` is the
-- day of the grant, from the id.
CREATE TABLE receipt (
    day         integer NOT NULL,
    message     text NOT NULL,
    attempt     integer NOT NULL,
    -- digest of the duplicate key, '' without one
    key         text NOT NULL,
    server      text NOT NULL,
    -- record types seen, in order of arrival: 'r', 'rd', 'rtd' …
    kinds       text NOT NULL,
    -- when PowerMTA wrote the first of them, by its clock
    at          bigint NOT NULL,
    PRIMARY KEY (day, message, attempt)
);
CREATE INDEX receipt_message ON receipt (message);

-- Recipients that PowerMTA took (r records), by day of the grant: the counters of a new ledger.
CREATE TABLE relayed (
    day         integer NOT NULL,
    vmta        text NOT NULL,
    provider    text NOT NULL,
    count       bigint NOT NULL,
    PRIMARY KEY (day, vmta, provider)
);

-- What restoring and losing a ledger leave to be read again.
ALTER TABLE ledger
    ADD COLUMN run          text NOT NULL DEFAULT '',
    -- 'open', or 'rebuilding' since `lost_at` (calendar) until every probe was read
    ADD COLUMN state        text NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'rebuilding')),
    ADD COLUMN lost_at      bigint NOT NULL DEFAULT 0,
    -- why it was lost, then a line for each thing it waits for
    ADD COLUMN detail       text NOT NULL DEFAULT '',
    -- server to the ids of the probes asked for since the loss, the newest last
    ADD COLUMN asked        jsonb NOT NULL DEFAULT '{}',
    -- the day, the IPs that stay closed on it, and why: their counts are lost for good
    ADD COLUMN closed       jsonb NOT NULL DEFAULT '{}';

-- After a backup was put back: any waiting message may have gone since the dump, in any attempt, so
-- each is in doubt, also one that was in doubt of a single attempt. `at` in calendar milliseconds.
-- An envelope id of a held row is of an attempt that was given back; it is no charge. Returns how
-- many rows it changed: none the second time.
CREATE FUNCTION hold_restore(at bigint) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    changed bigint;
BEGIN
    UPDATE held SET state = 'doubt', reason = 'restored', since = at, claimant = '',
        waiting = false, due = 0, until = 0, detail = 'a backup was restored',
        envelope = CASE state WHEN 'held' THEN '' ELSE envelope END
    WHERE state IN ('held', 'claimed') OR (state = 'doubt' AND reason <> 'restored');
    GET DIAGNOSTICS changed = ROW_COUNT;
    RETURN changed;
END $$;

-- NULL takes the settings' default.
ALTER TABLE tenant
    ADD COLUMN hold_messages    bigint CHECK (hold_messages >= 0),
    ADD COLUMN hold_bytes       bigint CHECK (hold_bytes >= 0),
    ADD COLUMN hold_age         double precision CHECK (hold_age > 0),
    ADD COLUMN hold_past        text CHECK (hold_past IN ('defer', 'accept')),
    ADD COLUMN duplicates       text CHECK (duplicates IN ('campaign', 'message-id', 'content', 'off')),
    ADD COLUMN feedback_id      text,
    ADD COLUMN list_unsubscribe text,
    ADD COLUMN dsn              boolean NOT NULL DEFAULT false,
    ADD COLUMN paused_campaigns text[] NOT NULL DEFAULT '{}';

ALTER TABLE mailbox ADD COLUMN daily_min bigint CHECK (daily_min >= 0);
