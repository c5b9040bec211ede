"""Held rows to measure with, made by PostgreSQL itself: mailboxes, tenants, providers, days."""

from typing import Any

from policy.limits import DAY

TENANTS = 100
TODAY = 20_786
PROVIDERS = ("gmail", "microsoft", "yahoo", "apple", "orange", "other")
DAYS = 4
"""Over which mail arrived: so many partitions have some."""

_FILL = f"""
INSERT INTO held (bucket, id, body, tenant, pool, provider, mailbox, bulk, recipient, notify, orcpt,
    campaign, key, message_id, size, arrived, state, since, reason, detail, until, attempt)
SELECT at / {DAY}, lpad(n::text, 27, '0'), '', 't' || t, 't' || t || '-pool',
    ($4::text[])[1 + abs(hashint4(n) % 6)], 'sender-' || box || '@t' || t || '.test',
    n % 50 <> 0, convert_to('user' || n || '@dest.example', 'UTF8'), '', '', 'campaign', '', '',
    4096, at, 'held', at, 'ip_quota', 'the daily quota is used up', 0, 0
FROM (
    SELECT n, n % $3 AS box, n % $3 % {TENANTS} AS t,
        ({TODAY} - {DAYS - 1}) * {DAY}::bigint + ((n - $1)::bigint * {DAYS} * {DAY} / $2) AS at
    FROM generate_series($1::int, $1::int + $2::int - 1) AS n
) AS made
"""


async def fill(link: Any, first: int, rows: int, mailboxes: int) -> None:
    """`rows` more, numbered from `first`, of `mailboxes` in turn, a hundred tenants' with a pool
    each, evenly over the days; one in fifty neither campaign nor list."""
    for day in range(TODAY - DAYS + 1, TODAY + 1):
        await link.execute("SELECT hold_partition($1)", day)
    await link.execute(_FILL, first, rows, mailboxes, list(PROVIDERS), timeout=1800)


def groups() -> list[tuple[str, tuple[str, str]]]:
    """(tenant, (pool, provider)) of all of them."""
    return [(f"t{t}", (f"t{t}-pool", p)) for t in range(TENANTS) for p in PROVIDERS]


def mailboxes(count: int) -> list[tuple[str, str]]:
    """(tenant, mailbox) of all of them."""
    return [(f"t{box % TENANTS}", f"sender-{box}@t{box % TENANTS}.test") for box in range(count)]


_FILL_TENANTS = f"""
INSERT INTO held (bucket, id, body, tenant, pool, provider, mailbox, bulk, recipient, notify, orcpt,
    campaign, key, message_id, size, arrived, state, since, reason, detail, until, attempt, waiting,
    due, paused)
SELECT at / {DAY}, lpad(n::text, 27, '0'), '', t, t, ($5::text[])[1 + abs(hashint4(n) % 6)],
    'm' || lpad(box::text, 6, '0') || '@d0.t000.example', n % 50 <> 0,
    convert_to('user' || n || '@dest.example', 'UTF8'), '', '', 'c' || n % 20, '', '', 4096, at,
    'held', at, CASE WHEN n % 10 = 0 THEN 'mailbox_max' ELSE 'ip_quota' END,
    'the daily quota is used up', 0, 0, true, $2 + {DAY}, n % 100 = 0
FROM (
    SELECT n, n % $3 AS box, 't' || lpad((n % $3 * $4::bigint / $3)::text, 3, '0') AS t,
        $2 - {DAYS - 1} * {DAY}::bigint + (n::bigint * {DAYS - 1} * {DAY} / $1) AS at
    FROM generate_series(0, $1::int - 1) AS n
) AS made
"""


async def fill_tenants(link: Any, rows: int, mailboxes: int, tenants: int) -> None:
    """`rows` that wait until tomorrow, of tenants and mailboxes as `loadtest.benchmark.filling`
    makes them; of twenty campaigns, one in a hundred paused by hand."""
    now = await link.fetchval("SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint")
    for day in range(now // DAY - DAYS + 1, now // DAY + 1):
        await link.execute("SELECT hold_partition($1)", day)
    given = rows, now, mailboxes, tenants, list(PROVIDERS)
    await link.execute(_FILL_TENANTS, *given, timeout=1800)
    await link.execute("ANALYZE held")
