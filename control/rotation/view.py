"""A sending domain as each stage that somebody asked for leaves it."""

from control.plan.rows import of_domain
from control.pmta.dkim import Seal
from control.rotation import stages
from control.rotation.stages import RotationOrder
from control.sources.domainview import NOTHING_SIGNS, DomainView, domain_view
from control.store.change import Act


async def begun(
    act: Act,
    tenant: str | None,
    name: str,
    order: RotationOrder,
    *,
    seal: Seal,
    signs: bool,
    dry: bool,
) -> DomainView:
    """As `stages.begin`. `signs`: whether PowerMTA is to sign at all."""
    owner = await stages.begin(act, tenant, name, order, seal=seal, dry=dry)
    if not signs:
        act.note(NOTHING_SIGNS)
    return await _shown(act, owner, name)


async def called_off(act: Act, tenant: str | None, name: str, reason: str) -> DomainView:
    """As `stages.call_off`."""
    return await _shown(act, await stages.call_off(act, tenant, name, reason), name)


async def finished(
    act: Act, tenant: str | None, name: str, *, kept: float, reason: str
) -> DomainView:
    """As `stages.finish`."""
    owner = await stages.finish(act, tenant, name, kept=kept, reason=reason)
    return await _shown(act, owner, name)


async def _shown(act: Act, owner: str, name: str) -> DomainView:
    return domain_view(await of_domain(act.connection, owner, name), owner, name)
