-- name: all
SELECT t.name, t.profile, t.paused, t.strict, t.default_pool, t.senders, t.mailbox,
    t.unreadable_from,
    t.rate_minute, t.rate_hour, t.max_recipients, t.window_start, t.window_length, t.window_zone,
    t.mailbox_max, t.mailbox_spacing, t.hold_messages, t.hold_bytes, t.hold_age, t.hold_past,
    t.duplicates, t.feedback_id, t.list_unsubscribe,
    CASE WHEN t.dsn_set THEN t.dsn END AS dsn, t.paused_campaigns,
    coalesce((SELECT jsonb_agg(jsonb_build_object('name', l.name, 'hash', l.hash) ORDER BY l.name)
        FROM login l WHERE l.tenant = t.name), '[]') AS logins,
    ARRAY(SELECT n.network::text FROM tenant_network n WHERE n.tenant = t.name ORDER BY 1) AS networks
FROM tenant t ORDER BY t.name;

-- name: lock
SELECT paused, default_pool FROM tenant WHERE name = $1 FOR UPDATE;

-- name: add
INSERT INTO tenant (name, profile, default_pool, created) VALUES ($1, $2, $3, $4);

-- name: set_paused
UPDATE tenant SET paused = $2 WHERE name = $1;

-- name: set
UPDATE tenant SET profile = $2, strict = $3, senders = $4, mailbox = $5, rate_minute = $6,
    rate_hour = $7, max_recipients = $8, window_start = $9, window_length = $10, window_zone = $11,
    mailbox_max = $12, mailbox_spacing = $13, unreadable_from = $14
WHERE name = $1;

-- name: set_hold
UPDATE tenant SET hold_messages = $2, hold_bytes = $3, hold_age = $4, hold_past = $5,
    duplicates = $6, feedback_id = $7, list_unsubscribe = $8,
    dsn = coalesce($9, false), dsn_set = $9::boolean IS NOT NULL
WHERE name = $1;

-- name: lock_campaigns
SELECT paused_campaigns FROM tenant WHERE name = $1 FOR UPDATE;

-- name: set_campaigns
UPDATE tenant SET paused_campaigns = $2 WHERE name = $1;

-- name: drop_networks
DELETE FROM tenant_network WHERE tenant = $1;

-- name: add_login
INSERT INTO login (name, tenant, hash, created) VALUES ($1, $2, $3, $4);

-- name: set_password
UPDATE login SET hash = $3 WHERE tenant = $1 AND name = $2 RETURNING name;

-- name: logins
SELECT name FROM login WHERE tenant = $1 ORDER BY name;

-- name: add_network
INSERT INTO tenant_network (network, tenant) VALUES ($1::text::cidr, $2);
