-- What operators' own queries read: a row a plan (an IP on its way), and a row a plan and day.

-- The default plan is the configuration's, and the day the ledger's: control writes them here.
CREATE TABLE warmup_default (stage integer PRIMARY KEY, quota bigint NOT NULL);
CREATE TABLE warmup_today (one boolean PRIMARY KEY DEFAULT true CHECK (one), day integer NOT NULL);

-- `bounced`: address bounces, which are what the rates are made of.
CREATE VIEW warmup_daily_stats AS
SELECT v.id AS plan_id, DATE '1970-01-01' + s.day AS date,
    sum(greatest(s.relayed, s.delivered + s.bounced - s.late + s.expired))::bigint AS sent,
    sum(s.delivered)::bigint AS delivered, sum(s.bounced_address)::bigint AS bounced,
    sum(s.complaints)::bigint AS complaints
FROM virtual_mta v JOIN statistics_ip s ON s.ip = host(v.ip) AND s.tenant = v.tenant
GROUP BY v.id, s.day;

-- Rates in per cent, of the last seven days with the present one. A null quota: unlimited.
CREATE VIEW warmup_plans AS
SELECT v.id, host(v.ip) AS ip, v.tenant,
    coalesce(round(100.0 * w.bounced / nullif(w.sent, 0), 4), 0) AS bounce_rate_7d,
    coalesce(round(100.0 * w.complaints / nullif(w.delivered, 0), 4), 0) AS spam_rate_7d,
    CASE WHEN v.quota_source IS DISTINCT FROM 'plan' OR v.state = 'active' THEN 'active'
        ELSE 'week_' || v.stage END AS phase,
    CASE WHEN v.quota_source = 'fixed' THEN v.fixed_quota
        WHEN v.quota_source = 'plan' AND v.grown IS NOT NULL THEN v.grown
        WHEN v.quota_source = 'plan' THEN q.quota END AS current_daily_quota,
    v.state = 'paused' AS paused,
    CASE WHEN v.quota_source = 'plan' THEN q.target END AS target
FROM virtual_mta v
LEFT JOIN LATERAL (
    SELECT max(p.quota) AS target, max(p.quota) FILTER (WHERE p.stage <= v.stage) AS quota
    FROM (
        SELECT s.stage, s.quota FROM warmup_stage s WHERE s.plan = v.plan
        UNION ALL
        SELECT d.stage, d.quota FROM warmup_default d WHERE v.plan = 'default'
            AND NOT EXISTS (SELECT FROM warmup_stage s WHERE s.plan = 'default')
    ) p
) q ON true
LEFT JOIN LATERAL (
    SELECT sum(s.sent) AS sent, sum(s.delivered) AS delivered, sum(s.bounced) AS bounced,
        sum(s.complaints) AS complaints
    FROM warmup_daily_stats s, warmup_today t
    WHERE s.plan_id = v.id AND s.date > DATE '1970-01-01' + t.day - 7
        AND s.date <= DATE '1970-01-01' + t.day
) w ON true;
