"""A database in which every list of the API has some entries."""

from typing import Any

from policy.limits import day_of
from tests.support.control.core import Api

TENANTS = ("acme", "acme-two", "Globex", "zeta")
COUNT = 5
"""Of each noun that is put in by a statement."""

_STATEMENTS = """
INSERT INTO login (name, tenant, hash, created) SELECT 'in-' || n, 'acme', '$argon2id$x', now()
    - make_interval(hours => n % 3) FROM generate_series(1, $1) n;
INSERT INTO tenant_network (network, tenant) SELECT ('10.' || n || '.0.0/16')::cidr, 'acme'
    FROM generate_series(8, 7 + $1) n;
INSERT INTO accounting_import (digest, size, name, server, began, who) SELECT n::text, n,
    'acct.csv', 'pmta1', n, 'test' FROM generate_series(1, $1) n;
INSERT INTO job_run (name, due, state, attempts, node, started, until) SELECT 'cleanup', n *
    1000, 'done', 1, 'here', 0, now() FROM generate_series(1, $1) n;
INSERT INTO alert (key, source, severity, what, next, first_seen, last_seen, tell_at) SELECT
    'k' || n, 'test', 'warning', 'w', 'n', n, n, 0 FROM generate_series(1, $1) n;
INSERT INTO pmta_server (name, created) SELECT 'pmta9' || n, now() FROM generate_series(1, $1)
    n;
INSERT INTO pmta_version (server, digest, files, keys, generation, who, why, at) SELECT
    'pmta1', n::text, '', '{}', 0, 'test', '', n FROM generate_series(1, $1) n;
INSERT INTO pmta_agent (server, agent, heard) SELECT 'pmta9' || n, 'a', 0 FROM
    generate_series(1, $1) n;
INSERT INTO accounting_stream (server, path, since) SELECT 'pmta9' || n, '/x', 0 FROM
    generate_series(1, $1) n;
INSERT INTO consolidation SELECT 20000 + n, 0, 0, 0, 0, 0, 0, NULL FROM generate_series(1, $1)
    n;
INSERT INTO provider_domain (domain, provider, why, seen, next) SELECT 'd' || n || '.example',
    'gmail', 'mx', 1, 0 FROM generate_series(1, $1) n;
INSERT INTO suppression SELECT decode(lpad(n::text, 32, '0'), 'hex'), 'acme', 'a' || n ||
    '@gmail.com', 'bounce', 'hand', '', 'test', 1, NULL, NULL, n FROM generate_series(1, $1) n;
INSERT INTO hold_event (at, tenant, message, kind, class, message_id, mailbox, sender,
    recipient, campaign, detail) SELECT n, 'acme', n::text, 'expired', 'internal', '', 'm', '',
    'r@gmail.com', '', '' FROM generate_series(1, $1) n;
INSERT INTO hold_request (at, who, action, tenant) SELECT now(), 'test', 'pause', 'acme' FROM
    generate_series(1, $1) n;
INSERT INTO accounting_set_aside (digest, came, origin, server, place, why, header, raw) SELECT
    decode(lpad(n::text, 32, '0'), 'hex'), n, 'file', 'pmta1', 'here', 'why', '', 'x' FROM
    generate_series(1, $1) n;
UPDATE virtual_mta SET own_lines = 'max-smtp-out 5';
INSERT INTO warmup_plan (name, days, growth, breach, created) SELECT 'plan-' || n, 7, 1,
    'pause', now() FROM generate_series(1, $1) n;
INSERT INTO warmup_stage (plan, stage, quota, ceilings) SELECT 'plan-' || n, 1, 50, '{}'
    FROM generate_series(1, $1) n
"""
"""Each takes how many."""

_OF_TODAY = """
INSERT INTO bypass SELECT $2, 'pmta1', 'v', '192.0.2.1', 'login-' || n, 's', 'j', n % 2, 0, 0
    FROM generate_series(1, $1::int) n;
INSERT INTO statistics_ip (day, tenant, ip, provider, relayed) SELECT $2::int, 'acme',
    '192.0.2.' || n, p, 1 FROM generate_series(1, $1::int) n, unnest('{gmail,yahoo}'::text[]) p;
INSERT INTO outcome SELECT $2::int, $2::bigint * 86400000 + n / 2, 'message' || n, 'acme',
    'user@gmail.com', 'relayed', '', '', '', '', '' FROM generate_series(1, $1::int) n;
INSERT INTO consolidation SELECT $2::int, 0, 0, 0, 0, 0, $1::int, NULL
"""
"""Each takes how many, and the day."""


async def stock(api: Api, connection: Any, now: int) -> str:
    """Puts them in, by the API and by statements; `now` in milliseconds. The day of today."""
    for number, name in enumerate(TENANTS):
        new = {"name": name, "login": f"{name}-smtp", "password": "correct horse"}
        assert (await api("POST", "/api/v2/tenants", new))[0] == 201
        for ip in range(2):
            added = {"tenant": name, "domain": f"d{ip}.{name.lower()}.example", "quota": 5}
            added["ip"] = f"192.0.2.{10 * number + ip + 1}"
            assert (await api("POST", "/api/v2/domains", added))[0] == 201
        assert (await api("POST", "/api/v2/users", {"name": f"u{number}"}))[0] == 201
        token = {"name": f"panel{number}", "scope": "read"}
        assert (await api("POST", "/api/v2/tokens", token))[0] == 201
    for user in "cabd":
        path = f"/api/v2/tenants/acme/mailboxes/{user}@d0.acme.example"
        assert (await api("PUT", path, {"daily_max": 5}))[0] == 200
    assert (
        await api("POST", "/api/v2/hold/forget", {"tenant": "acme", "recipient": "a@b.example"})
    )[0] == 202
    day = day_of(now)
    await connection.execute("SELECT day_partition('outcome', $1)", day)
    for statement in _STATEMENTS.split(";\n"):
        given = [COUNT] if "$1" in statement else []
        await connection.execute(statement, *given)
    for statement in _OF_TODAY.split(";\n"):
        await connection.execute(statement, COUNT, day)
    return str(await connection.fetchval("SELECT (date '1970-01-01' + $1::int)::text", day))
