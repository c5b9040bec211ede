"""Tenants taken away with all that is theirs, once none of their mail waits.

Rule: a tenant goes in two steps, `pause` and `remove`: paused, nothing of it is sent any more while
what it has held is looked at, sent or dropped. Names may be given again: counts of an IP's day stay
in the ledger, so that nobody gets a second quota by it.
"""

from control.plan.changed import Charged, Removed
from control.problem import in_the_way, missing
from control.store.change import Act
from control.store.database import Connection
from policy.number import agree, count
from settings.statements import statements

_SQL = statements(__package__, "removal")


_THEIRS = {
    "token": "drop_tokens",
    "mailbox": "drop_mailboxes",
    "network": "drop_networks",
    "login": "drop_logins",
    "domain": "drop_domains",
    "member": "drop_members",
    "ip": "drop_ips",
    "pool": "drop_pools",
}
"""In the order in which each may go."""

_HELD = {
    "held": "held: resume the tenant and let mail go, or `sendgate hold drop --tenant {}`",
    "claimed": "being sent this moment: wait a minute",
    "doubt": "in doubt: wait, or `sendgate hold settle --tenant {}`",
}

_LEFT = {"held": "held of a former tenant: `sendgate hold drop --tenant {}`"}
"""In place of those: nobody can resume it."""


async def remove_tenant(
    act: Act, name: str, charged: Charged, *, force: bool = False, reason: str = ""
) -> Removed:
    """Take a tenant away with its tokens, logins, networks, mailboxes, domains, DKIM keys,
    pools, IPs and suppressions. Raises RefusedError. `force` as in `in_its_way`.

    Mail of it that gateways take meanwhile is kept out by `control.tenants.leaving`."""
    await in_its_way(act, name, charged, force=force)
    also = {}
    for noun, statement in _THEIRS.items():
        names = sorted(r["name"] for r in await act.connection.fetch(_SQL[statement], name))
        if names and noun != "member":
            also[noun] = names
    await act.connection.execute(_SQL["drop_tenant"], name)
    await act.connection.execute(_SQL["lock_suppressions"])
    suppressed = await act.connection.fetchval(_SQL["drop_suppressions"], name)
    # Addresses outlive nobody: of mailboxes and suppressions the number alone is kept.
    kept = {noun: len(names) if noun == "mailbox" else names for noun, names in also.items()}
    if suppressed:
        kept["suppression"] = suppressed
        act.note(
            f"{count(suppressed, 'suppression')} of the tenant "
            f"{agree(suppressed, 'goes', 'go')} with it"
        )
    await act.audit("tenant.remove", name, kept, {"force": force}, reason)
    return Removed(noun="tenant", name=name, also=also)


async def in_its_way(act: Act, name: str, charged: Charged, *, force: bool) -> None:
    """Locks the tenant. Raises RefusedError with all that is in the way of its removal.

    `force`: an operator looked, and PowerMTA has nothing queued for its VirtualMTAs."""
    row = await act.connection.fetchrow(_SQL["tenant"], name)
    if row is None:
        raise missing("tenant", name)
    found = []
    if not row["paused"]:
        found.append(f"it may send: `sendgate tenant pause {name}` first")
    found += await held(act.connection, name)
    ips = {row["ip"]: row["vmta"] for row in await act.connection.fetch(_SQL["ips"], name)}
    found += await charged(act, ips, force=force)
    if found:
        raise in_the_way(f"tenant {name}", found)


async def held(connection: Connection, tenant: str, *, gone: bool = False) -> list[str]:
    """A sentence for each state in which mail of the tenant waits. `gone`: no such tenant."""
    rows = await connection.fetch(_SQL["held"], tenant)
    what = _HELD | _LEFT if gone else _HELD
    return [
        f"{count(r['messages'], 'message')} {agree(r['messages'], 'is', 'are')} "
        f"{what[r['state']].format(tenant)}"
        for r in rows
    ]


async def nothing_left(act: Act, name: str) -> None:
    """Raises RefusedError while mail of a former tenant of that name waits, which the next one
    would send, or an order about such mail, which would be carried out on the next one's."""
    found = await held(act.connection, name, gone=True)
    if orders := await act.connection.fetchval(_SQL["orders"], name):
        found.append(
            f"{orders} orders about held mail of a former tenant wait for a releaser: wait until "
            "they are carried out (`sendgate hold requests`)"
        )
    if found:
        raise in_the_way(f"the name {name}", found)
