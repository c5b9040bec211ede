"""The stages of a rotation, each one change: begun, called off, signing with the new key, ended.

Rule: the key that signs is that of `sending_domain`, the other one that of `dkim_rotation`. A stage
is taken under the lock of publishers, by who finds the row in the stage before: twice asked, it is
done once. PowerMTA has a new key's file before a plan signs with it (`control.plan.publish`), and
loses a former key's with its row.
Failure: RefusedError, and nothing was changed.
"""

import asyncio
from typing import Annotated, Any

import msgspec

from control.pmta.dkim import DkimKey, Seal
from control.pmta.generator.virtualmta import key_file
from control.problem import RefusedError, bad, counted, missing, taken
from control.sources.dns import dkim_name
from control.store.change import Act
from control.values.reason import ReasonText
from control.values.wanted import meant
from policy.address import normal_domain
from policy.isotime import instant
from settings.statements import statements

SQL = statements(__package__, "rotation")

_LABEL = "[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
SELECTOR = rf"^{_LABEL}(?:\.{_LABEL})*$"
LONGEST_NAME = 253
NO_KEY_YET = "(made when it is begun)"
"""In place of a key in a dry run: one that is thrown away must not be published."""


class RotationOrder(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A new DKIM key for a sending domain."""

    selector: Annotated[
        Annotated[str, msgspec.Meta(pattern=SELECTOR, max_length=200)] | None,
        meant("Name of the new key in DNS; else from the month."),
    ] = None
    reason: ReasonText = ""


async def begin(
    act: Act, tenant: str | None, name: str, order: RotationOrder, *, seal: Seal, dry: bool
) -> str:
    """A new key, which signs nothing yet. Returns the tenant. Raises RefusedError."""
    row = await _domain(act, tenant, name)
    owner, domain = row["tenant"], row["domain"]
    if row["selector"] is not None:
        stage = "its former key stays for a while" if row["switched"] else "a new key waits"
        raise RefusedError(
            f"the DKIM key of {domain} is being replaced already ({stage}): see `sendgate domain "
            f"show {domain}`"
        )
    selector = _selector(act, domain, order, row["dkim_selector"])
    key = DkimKey(NO_KEY_YET, b"") if dry else await asyncio.to_thread(seal.new_key)
    now = act.milliseconds
    await act.connection.execute(SQL["begin"], owner, domain, selector, key.public, key.sealed, now)
    after = {"tenant": owner, "selector": row["dkim_selector"], "new_selector": selector}
    before = {"tenant": owner, "selector": row["dkim_selector"]}
    await act.audit("domain.rotate", domain, before, after, order.reason, tenant=owner)
    act.note(
        f"publish {dkim_name(selector, domain)} and leave the record of {row['dkim_selector']}: "
        "the new key signs once every resolver shows it"
    )
    return str(owner)


async def call_off(act: Act, tenant: str | None, name: str, reason: str) -> str:
    """The new key goes, unless it signs. Returns the tenant. Raises RefusedError."""
    row = await _rotating(act, tenant, name)
    owner, domain, selector = row["tenant"], row["domain"], row["selector"]
    if row["switched"] is not None:
        raise RefusedError(
            f"{domain} signs with {row['dkim_selector']} already: nothing is left to call off; "
            "another rotation replaces it once this one has ended"
        )
    await _end(act, row)
    before = {"new_selector": selector}
    await act.audit("domain.rotate_cancel", domain, before, None, reason, tenant=owner)
    act.note(f"the record {dkim_name(selector, domain)} can go")
    return str(owner)


async def switch(act: Act, tenant: str, name: str, selector: str) -> bool:
    """From here on the new key signs, where it is still the one that was seen."""
    row = await _domain(act, tenant, name)
    if row["selector"] != selector or row["switched"] is not None or row["seen"] is None:
        act.no_change("it signs already, or the rotation was called off")
        return False
    new = (row["selector"], row["public"], row["private"])
    old = (row["dkim_selector"], row["dkim_public"], row["dkim_private"])
    await act.connection.execute(SQL["sign"], tenant, name, *new)
    await act.connection.execute(SQL["former"], tenant, name, *old, act.milliseconds)
    before, after = {"selector": old[0]}, {"selector": new[0], "seen": instant(row["seen"])}
    await act.audit("domain.rotate_switch", name, before, after, tenant=tenant)
    return True


async def finish(act: Act, tenant: str | None, name: str, *, kept: float, reason: str = "") -> str:
    """The former key goes. `kept`: seconds for which it has to stay. Returns the tenant. Raises
    RefusedError."""
    row = await _rotating(act, tenant, name)
    owner, domain, former = row["tenant"], row["domain"], row["selector"]
    if row["switched"] is None:
        raise RefusedError(f"{domain} does not sign with its new key {former} yet")
    until = row["switched"] + round(kept * 1000)
    if act.milliseconds < until:
        raise RefusedError(
            f"the former key {former} of {domain} stays until {instant(until)} "
            "(dns.rotation_kept): mail that is queued or verified late is signed with it"
        )
    servers = [r["server"] for r in await act.connection.fetch(SQL["signing_still"], _file(row))]
    if servers:
        raise RefusedError(
            f"PowerMTA signs with the former key {former} of {domain} still, on "
            f"{counted(servers, 'server')}: `sendgate pmta apply` brings what the plan says"
        )
    await _end(act, row)
    before = {"former_selector": former}
    await act.audit("domain.rotate_end", domain, before, None, reason, tenant=owner)
    act.note(f"the record {dkim_name(former, domain)} can go")
    return str(owner)


async def _end(act: Act, row: Any) -> None:
    await act.connection.execute(SQL["end"], row["tenant"], row["domain"])
    if row["switched"] is not None:
        await act.connection.execute(SQL["forget_key"], _file(row))


def _file(row: Any) -> str:
    return key_file(row["domain"], row["selector"])


async def _domain(act: Act, tenant: str | None, name: str) -> Any:
    domain = normal_domain(name) or name
    row = await act.connection.fetchrow(SQL["domain"], domain, tenant)
    if row is None:
        raise missing("domain", name)
    return row


async def _rotating(act: Act, tenant: str | None, name: str) -> Any:
    row = await _domain(act, tenant, name)
    if row["selector"] is None:
        raise RefusedError(f"no new DKIM key takes over at {row['domain']}: nothing to do")
    return row


def _selector(act: Act, domain: str, order: RotationOrder, current: str) -> str:
    if order.selector is not None:
        selector = order.selector.lower()
        if selector == current.lower():
            raise taken("selector", f"{selector} is the one that signs: a new key needs another")
        if any(len(label) > 63 for label in selector.split(".")):
            raise bad("selector", "a label has at most 63 characters")
        if len(dkim_name(selector, domain)) > LONGEST_NAME:
            raise bad("selector", f"its name in DNS would be longer than {LONGEST_NAME} octets")
        return selector
    month, day = f"sg{act.now:%Y%m}", f"sg{act.now:%Y%m%d}"
    second = f"sg{act.now:%Y%m%d-%H%M%S}"
    return next(one for one in (month, day, second, f"{second}-2") if one != current.lower())
