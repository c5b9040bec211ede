"""VirtualMTAs: an IP's name and server in PowerMTA, made with the IP."""

import re

import msgspec

from control.plan.compile import DEFAULT_PLAN
from control.plan.rows import vmta_by_ip
from control.pmta.server import names as server_names
from control.problem import RefusedError, bad
from control.sources.ip import own_host_name
from control.sources.quota import QuotaText, quota_columns
from control.store.change import Act
from control.store.reference import must
from control.store.refusal import unless_taken
from control.tenants.poolname import holder_of
from control.values.name import new_name
from policy.model import Name, Share
from settings.model import Warmup
from settings.statements import statements

_VMTA = statements(__package__, "vmta")


class NewVmta(msgspec.Struct, frozen=True, kw_only=True):
    """What is told of it; None: as usual."""

    tenant: Name
    ip: str
    """In normal form, an address mail may be sent from."""
    name: str | None = None
    host_name: str | None = None
    server: Name | None = None
    quota: QuotaText | None = None
    hourly_share: Share | None = None


async def ensure_vmta(act: Act, new: NewVmta, *, below: str, warmup: Warmup) -> str:
    """The name of the IP's VirtualMTA: the tenant's existing one, else a new one, whose host name,
    where none is told, is one `below` a domain. Raises RefusedError."""
    ip = new.ip
    row = await vmta_by_ip(act.connection, ip)
    if row is not None:
        if row.tenant != new.tenant:
            raise RefusedError(f"IP {ip} is not available to tenant {new.tenant}")
        given = {"quota": new.quota, "hourly_share": new.hourly_share}
        given |= {"host_name": new.host_name, "vmta": new.name, "server": new.server}
        if kept := [field for field, value in given.items() if value is not None]:
            raise RefusedError(
                f"IP {ip} exists already as VirtualMTA {row.name}: its {', '.join(kept)} cannot "
                "be set here; use `sendgate ip set` (`ip relocate` for the server)",
            )
        return row.name
    name = new.name or "vmta-" + re.sub(r"[.:]+", "-", ip).strip("-")
    new_name("vmta", name)
    if (holder := await holder_of(act, name)) is not None:
        raise bad("vmta", f"the name {name} is taken by {holder}; choose another with --vmta")
    host = await _host_name(act, new, below)
    source, number = quota_columns("plan" if new.quota is None else new.quota)
    plan, stage = (DEFAULT_PLAN, 1) if source == "plan" else (None, None)
    state = "warming" if source == "plan" else "active"
    share = warmup.hourly_share if new.hourly_share is None else new.hourly_share
    server = await _server(act, new.server)
    with unless_taken(bad("vmta", f"the name {name} is taken; choose another with --vmta")):
        await act.connection.execute(
            _VMTA["add"],
            *(name, new.tenant, ip, host, server, state, source, number, share, plan, stage),
            act.now,
        )
    await act.connection.execute(
        _VMTA["add_history"],
        name,
        act.now,
        None,
        str(new.quota or "plan"),
        None,
        stage,
        act.who,
        "",
        None,
        state,
    )
    return name


async def _host_name(act: Act, new: NewVmta, domain: str) -> str:
    if new.host_name is not None:
        return await own_host_name(act, new.host_name, new.ip)
    taken = {row["host_name"] for row in await act.connection.fetch(_VMTA["below"], f".{domain}")}
    number = 1
    while f"mta{number}.{domain}" in taken:
        number += 1
    return f"mta{number}.{domain}"


async def _server(act: Act, wanted: str | None) -> str:
    if wanted is not None:
        return await must(act.connection, "server", wanted)
    names = await server_names(act.connection)
    if not names:
        raise RefusedError("there is no PowerMTA server yet; add one with `sendgate server set`")
    if len(names) > 1:
        raise bad("server", f"several exist, name one of {', '.join(names)}")
    return str(names[0])
