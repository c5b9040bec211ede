"""PostgreSQL filled with tenants, IPs, mailboxes and suppressions, for what measures control by
how much there is."""

import hashlib
from typing import Any

import asyncpg

DOMAINS = 10
"""Of each tenant."""
VMTA = "name tenant ip host_name server state quota_source plan stage hourly_share created"


async def fill(url: str, tenants: int, ips: int, mailboxes: int) -> None:
    """Tenants with a pool of their IPs, ten domains and mailboxes with a limit each, and as many
    suppressions as mailboxes."""
    names = [f"t{i:03}" for i in range(tenants)]
    vmtas = [(f"v{i:05}", names[i * tenants // ips], address(i)) for i in range(ips)]
    connection = await asyncpg.connect(url)
    try:
        server = await connection.fetchval("SELECT min(name) FROM pmta_server")
        now = await connection.fetchval("SELECT now()")
        rows: dict[str, tuple[str, list[tuple[Any, ...]]]] = {
            "tenant": (
                "name profile default_pool created",
                [(n, "mailwizz", n, now) for n in names],
            ),
            "pool": ("name tenant created", [(n, n, now) for n in names]),
            "login": (
                "name tenant hash created",
                [(f"login-{n}", n, "$argon2id$" + "x" * 80, now) for n in names],
            ),
            "virtual_mta": (
                VMTA,
                [
                    (
                        v,
                        t,
                        ip,
                        f"mta.{v}.example",
                        server,
                        "warming",
                        "plan",
                        "default",
                        3,
                        0.2,
                        now,
                    )
                    for v, t, ip in vmtas
                ],
            ),
            "pool_member": ("tenant pool vmta", [(t, t, v) for v, t, _ in vmtas]),
            "sending_domain": (
                "tenant domain pool dkim_selector dkim_public dkim_private created",
                [
                    (n, f"d{i}.{n}.example", n, "sg", "p" * 392, b"sealed", now)
                    for n in names
                    for i in range(DOMAINS)
                ],
            ),
            "mailbox": (
                "tenant address daily_max daily_min",
                [
                    (names[i * tenants // mailboxes], f"m{i:06}@d0.t000.example", 100, 30)
                    for i in range(mailboxes)
                ],
            ),
            "suppression": (
                "digest tenant address reason origin note who since change",
                [_suppressed(names[i * tenants // mailboxes], i) for i in range(mailboxes)],
            ),
        }
        async with connection.transaction():
            for table, (columns, records) in rows.items():
                await connection.copy_records_to_table(
                    table, columns=columns.split(), records=records
                )
            await connection.execute(
                "UPDATE suppression_state SET entries = $1, change = $1", mailboxes
            )
        await connection.execute("ANALYZE")
    finally:
        await connection.close()


async def history(url: str, users: int, entries: int) -> None:
    """People who look on, and an audit log of what a hundred did, twenty seconds apart."""
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(
            "INSERT INTO person (name, role, everywhere, created) "
            "SELECT 'p' || g, 'viewer', true, now() FROM generate_series(1, $1::integer) g",
            users,
        )
        await connection.execute(
            """
            INSERT INTO audit_log (at, who, action, subject, before, after, reason, kind, source)
            SELECT now() - make_interval(secs => ($1 - g) * 20), 'u' || g % 100,
                (ARRAY['ip.set', 'tenant.pause', 'mailbox.set', 'pool.add'])[1 + g % 4],
                'tenant/t' || lpad((g % 100)::text, 3, '0'),
                jsonb_build_object('quota', g, 'state', 'warming'),
                jsonb_build_object('quota', g + 1, 'state', 'warming'),
                'because of ticket ' || md5(g::text), 'user', '10.1.2.' || g % 250
            FROM generate_series(1, $1::integer) g
            """,
            entries,
            timeout=1800,
        )
        await connection.execute("ANALYZE")
    finally:
        await connection.close()


def address(number: int) -> str:
    """A source address."""
    return f"10.0.{number // 250}.{number % 250 + 1}"


def _suppressed(tenant: str, number: int) -> tuple[Any, ...]:
    address = f"nobody{number}@gmail.com"
    digest = hashlib.sha256(f"{tenant} {address}".encode()).digest()[:16]
    return digest, tenant, address, "bounce", "rule", "", "bench", 0, number + 1
