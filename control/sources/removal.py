"""IPs, domains and pools taken away, once nothing is in the way.

Rule: what may still send, or wait, or be in doubt, stays; it is counted and named. An IP goes in
two steps, `retire` and `remove`: PowerMTA may have mail queued for its VirtualMTA, and loses the
source address of that mail with the configuration. Its counts stay in the ledger until their days
are over: the same IP, added again, has no second quota.
"""

from control.plan.changed import Charged, Removed
from control.plan.rows import vmta_by_ip
from control.problem import RefusedError, bad, counted, in_the_way, missing
from control.store.change import Act
from control.values.ip import normal_ip
from policy.number import agree, count
from settings.statements import statements

_SQL = statements(__package__, "removal")


async def remove_ip(
    act: Act, ip: str, charged: Charged, *, force: bool = False, reason: str = ""
) -> Removed:
    """Take an IP and its VirtualMTA away. Raises RefusedError.

    `force`: an operator looked, and PowerMTA has nothing queued for it."""
    ip = normal_ip(ip)
    row = await vmta_by_ip(act.connection, ip)
    if row is None:
        raise missing("IP", ip)
    found = []
    if row.state != "retiring":
        found.append(f"it is {row.state}: `sendgate ip retire {ip}` first")
    found += await still_there(act, ip, row.name, charged, force=force)
    found += await alone(act, row.name, None)
    if found:
        raise in_the_way(f"IP {ip}", found)
    pools = [r["pool"] for r in await act.connection.fetch(_SQL["pools_of"], row.name)]
    await act.connection.execute(_SQL["leave"], row.name, pools)
    await act.connection.execute(_SQL["remove_vmta"], row.name)
    before = {"tenant": row.tenant, "vmta": row.name, "pools": pools, "server": row.server}
    await act.audit("ip.remove", ip, before, {"force": force}, reason, tenant=row.tenant)
    act.note(
        "its A, AAAA and PTR records can go; the SPF records of its pools changed: `sendgate "
        "domain show DOMAIN`"
    )
    return Removed(noun="ip", name=ip, also={"vmta": [row.name]})


async def still_there(act: Act, ip: str, vmta: str, charged: Charged, *, force: bool) -> list[str]:
    """A sentence for all that the IP's PowerMTA server may still have of it. Raises RefusedError
    when the ledger cannot say."""
    found = []
    if waiting := await act.connection.fetchval(_SQL["open_of_vmta"], vmta):
        found.append(
            f"{count(waiting, 'message')} {agree(waiting, 'is', 'are')} in doubt or being sent "
            "through it: wait, or `sendgate hold "
            "settle`"
        )
    return found + await charged(act, {ip: vmta}, force=force)


async def alone(act: Act, vmta: str, pools: list[str] | None) -> list[str]:
    """A sentence for each pool (of `pools`; None: of all) that would be left with domains and
    without an IP."""
    rows = await act.connection.fetch(_SQL["alone_in"], vmta)
    return [
        f"it is the only IP of pool {row['pool']}, which {counted(row['domains'], 'domain')} use: "
        "add an IP there, or move the domains"
        for row in rows
        if pools is None or row["pool"] in pools
    ]


async def remove_domain(
    act: Act, tenant: str | None, domain: str, *, force: bool = False, reason: str = ""
) -> Removed:
    """Take a sending domain and its DKIM key away; its IPs stay. Raises RefusedError.

    `force`: held mail of it may go without a signature, through the default pool."""
    row = await one_domain(act, tenant, domain)
    owner = row["tenant"]
    waiting = await act.connection.fetchval(_SQL["held_of_domain"], owner, domain)
    if waiting and not force:
        found = (
            f"{count(waiting, 'message')} of it {agree(waiting, 'is', 'are')} held: "
            f"let {agree(waiting, 'it', 'them')} go first, or --force sends "
            f"{agree(waiting, 'it', 'them')} unsigned "
            "through the default pool (a strict tenant's are refused)"
        )
        raise in_the_way(f"domain {domain}", [found])
    first, *others = await act.connection.fetch(_SQL["domains_of_pool"], owner, row["pool"])
    await act.connection.execute(_SQL["remove_domain"], owner, domain)
    before = {"tenant": owner, "pool": row["pool"], "selector": row["dkim_selector"]}
    after = {"held": waiting, "force": force}
    await act.audit("domain.remove", domain, before, after, reason, tenant=owner)
    act.note("its DKIM key is gone: what PowerMTA has queued of it leaves unsigned from now on")
    if first["domain"] == domain and others:
        act.note(
            f"the SPF record of pool {row['pool']} moves to {others[0]['domain']}: publish what "
            f"`sendgate domain show {others[0]['domain']}` says for each of the pool's domains"
        )
    return Removed(noun="domain", name=domain, also={"dkim_selector": [row["dkim_selector"]]})


async def one_domain(act: Act, tenant: str | None, domain: str) -> dict[str, str]:
    """The domain's row, locked. Raises RefusedError when there is none, or more than one."""
    rows = await act.connection.fetch(_SQL["domain"], tenant, domain)
    if not rows:
        raise missing("domain", domain)
    if len(rows) > 1:
        owners = ", ".join(row["tenant"] for row in rows)
        raise bad("tenant", f"is missing: domain {domain} is of {owners}")
    return dict(rows[0])


async def remove_pool(act: Act, name: str, reason: str = "") -> Removed:
    """Take a pool away that nothing uses. Raises RefusedError."""
    row = await act.connection.fetchrow(_SQL["pool"], name)
    if row is None:
        raise missing("pool", name)
    found = []
    if row["is_default"]:
        found.append(
            f"it is the default pool of tenant {row['tenant']}: make another the default "
            "(`sendgate pool set OTHER --default`)"
        )
    for statement, arguments, noun, what in (
        ("domains_of_pool", (row["tenant"], name), "domain", "use it: `sendgate domain move`"),
        ("members", (name,), "IP", "are in it: `sendgate ip move` or `ip remove`"),
        ("overflows_to", (name,), "pool", "overflow to it: `sendgate pool set --no-overflow`"),
    ):
        if listed := [r[0] for r in await act.connection.fetch(_SQL[statement], *arguments)]:
            found.append(f"{counted(listed, noun)} {what}")
    if waiting := await act.connection.fetchval(_SQL["held_of_pool"], row["tenant"], name):
        found.append(
            f"{count(waiting, 'message')} {agree(waiting, 'is', 'are')} held in it: "
            f"{agree(waiting, 'it leaves', 'they leave')} it when releasers look again"
        )
    if found:
        raise in_the_way(f"pool {name}", found)
    await act.connection.execute(_SQL["remove_pool"], name)
    before = {"tenant": row["tenant"], "overflow": row["overflow"], "paused": row["paused"]}
    await act.audit("pool.remove", name, before, reason=reason, tenant=row["tenant"])
    return Removed(noun="pool", name=name)


async def must_be_of(act: Act, pool: str, tenant: str) -> None:
    """Raises RefusedError for a pool that is not there, or another tenant's."""
    row = await act.connection.fetchrow(_SQL["pool"], pool)
    if row is None or row["tenant"] != tenant:
        raise RefusedError(f"tenant {tenant} has no pool {pool}", status=404)
