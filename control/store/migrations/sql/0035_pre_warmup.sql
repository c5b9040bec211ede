-- Warm-up that moves by itself: what a plan asks for, how far each IP and each provider at it is,
-- what was decided and why.

ALTER TABLE warmup_plan
    ADD COLUMN days smallint NOT NULL DEFAULT 7 CHECK (days BETWEEN 1 AND 28),
    ADD COLUMN growth double precision NOT NULL DEFAULT 1 CHECK (growth BETWEEN 1 AND 1.3),
    ADD COLUMN breach text NOT NULL DEFAULT 'pause' CHECK (breach IN ('pause', 'step_back')),
    -- Where its shape comes from, in words.
    ADD COLUMN source text NOT NULL DEFAULT '';

-- What an IP past its plan's last stage may send a day; null: what that stage says.
ALTER TABLE virtual_mta ADD COLUMN grown bigint CHECK (grown > 0);

-- A pause, and its end, begin a window of evidence as a stage does.
ALTER TABLE warmup_history ADD COLUMN state_before text, ADD COLUMN state_after text;

-- Of an IP (provider '') and of a provider at it. Days are counted from the epoch, times are
-- milliseconds of the calendar. Where there is no row nothing is held, and nothing was earned.
CREATE TABLE warmup_state (
    vmta            text NOT NULL REFERENCES virtual_mta ON UPDATE CASCADE ON DELETE CASCADE,
    provider        text NOT NULL,
    -- Of a provider alone; null: it follows its IP.
    stage           integer CHECK (stage >= 1),
    paused          boolean NOT NULL DEFAULT false,
    -- When the stage began, or sending again; of an IP itself its history says so.
    since           bigint,
    -- The counted days of the last step, and the day on which it was taken.
    earned          integer[],
    earned_on       integer,
    -- Stages that the silence since this last day with mail took.
    idle_mail       integer,
    idle_taken      integer NOT NULL DEFAULT 0,
    -- The day on which a pause ends; null: by hand. At the same stage, where a person paused it.
    cool_until      integer,
    cool_same       boolean NOT NULL DEFAULT false,
    -- An act by hand that stands.
    override        text NOT NULL DEFAULT '',
    override_until  bigint,
    override_who    text NOT NULL DEFAULT '',
    PRIMARY KEY (vmta, provider)
);

CREATE TRIGGER plan_touch_insert AFTER INSERT ON warmup_state REFERENCING NEW TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION plan_touch('vmta', 'vmta', '');
CREATE TRIGGER plan_touch_update AFTER UPDATE ON warmup_state
    REFERENCING OLD TABLE AS former NEW TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION plan_touch('vmta', 'vmta', '');
CREATE TRIGGER plan_touch_delete AFTER DELETE ON warmup_state REFERENCING OLD TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION plan_touch('vmta', 'vmta', '');
CREATE TRIGGER plan_touch_truncate AFTER TRUNCATE ON warmup_state
    FOR EACH STATEMENT EXECUTE FUNCTION plan_touch_all();

-- `since` names the window that was judged: the same evidence decides once.
CREATE TABLE warmup_decision (
    id              bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at              bigint NOT NULL,
    day             integer NOT NULL,
    tenant          text NOT NULL,
    -- '' where a whole pool is judged, and then `pool` is not.
    vmta            text NOT NULL,
    ip              text NOT NULL,
    pool            text NOT NULL,
    -- '': all of them.
    provider        text NOT NULL,
    act             text NOT NULL,
    rule            text NOT NULL,
    sentence        text NOT NULL,
    severity        text NOT NULL,
    stage_before    integer,
    stage_after     integer,
    quota_before    bigint,
    quota_after     bigint,
    state_before    text NOT NULL,
    state_after     text NOT NULL,
    counted         jsonb NOT NULL,
    watched         jsonb NOT NULL,
    thresholds      jsonb NOT NULL,
    who             text NOT NULL,
    reason          text NOT NULL,
    since           bigint NOT NULL
);
CREATE UNIQUE INDEX warmup_decision_once ON warmup_decision
    (vmta, provider, day, act, rule, since, tenant, pool) WHERE who = 'warmup';
CREATE INDEX warmup_decision_tenant ON warmup_decision (tenant, id);
CREATE INDEX warmup_decision_ip ON warmup_decision (ip, id);

-- What providers said of an IP's mail, by the rule that knows the reply and the day it was said.
CREATE TABLE warmup_reply (
    day         integer NOT NULL,
    tenant      text NOT NULL,
    ip          text NOT NULL,
    provider    text NOT NULL,
    rule        text NOT NULL,
    scope       text NOT NULL,
    kind        text NOT NULL,
    action      text NOT NULL,
    count       bigint NOT NULL,
    last_at     bigint NOT NULL,
    -- A block that nobody looked at yet.
    fresh       boolean NOT NULL,
    PRIMARY KEY (day, tenant, ip, provider, rule)
);
CREATE INDEX warmup_reply_ip ON warmup_reply (ip, day);
CREATE INDEX warmup_reply_fresh ON warmup_reply (ip) WHERE fresh;

-- IPs whose bounces or complaints changed, until they were looked at.
CREATE TABLE statistics_changed (
    ip      text PRIMARY KEY,
    at      bigint NOT NULL
);

-- One IP's days, which nothing of its key finds. No column of it ever changes.
CREATE INDEX statistics_ip_ip ON statistics_ip (ip, day);
