"""Why a message would go where it goes: the live decision, and each candidate beside it.

The decision itself is the ledger's, asked with `dry`; what stands around it is worked out here by
the same rules (`policy.selection`), so that a skipped IP has a reason.
"""

from collections.abc import Iterable, Mapping
from typing import Annotated

import msgspec

from control.ledger.status import OPENS
from control.problem import RefusedError, bad, missing, quoted
from control.sources.usage import to_usage
from control.values.mailbox import RecipientText
from control.values.wanted import meant
from policy.address import mailbox_of, split_address
from policy.denial import IP_LIMITS, Denied, Limit
from policy.isotime import not_before
from policy.ledger.admin import IpUsage
from policy.ledger_port import Granted, Reserve
from policy.limits import share_used
from policy.model import Name, Pool, Tenant, Unlimited, VirtualMta
from policy.overflow import chain
from policy.plan import Generation
from policy.provider import provider_of
from policy.selection import fits


class Question(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename={"sender": "from"}
):
    """A message that might be sent."""

    tenant: Name
    sender: Annotated[RecipientText, meant("Address in From:.")]
    to: Annotated[RecipientText, meant("Recipient.")]
    size: Annotated[Annotated[int, msgspec.Meta(ge=0)] | None, meant("Octets.")] = None


class Candidate(msgspec.Struct, frozen=True, kw_only=True):
    """One VirtualMTA of the pool or of its overflow pools."""

    vmta: str
    ip: str
    pool: str
    state: str
    quota: int | Unlimited
    used: int
    used_by_provider: int
    ceiling: int | None
    share_used: float
    """The figure by which the least used goes first."""
    skipped: str
    """Why it may not send this now; empty: it may."""
    until: str = ""


class Explanation(msgspec.Struct, frozen=True, kw_only=True):
    """The answer to a question."""

    decision: str
    """`relay`, `defer` or `refuse`."""
    sentence: str
    vmta: str = ""
    ip: str = ""
    limit: str = ""
    until: str = ""
    change: str = ""
    """What would change it."""
    pool: str
    pool_why: str
    mailbox: str
    provider: str
    generation: int
    candidates: list[Candidate] = []


CHANGE = {
    Limit.IP_QUOTA: "raise the quota (`sendgate ip set IP --quota N`) or add an IP to the pool",
    Limit.IP_PROVIDER: "raise the ceiling (`sendgate ip set IP --ceiling PROVIDER=N`), "
    "move the IP to its next stage, or add an IP to the pool",
    Limit.IP_PACE: "wait, or raise the burst (`sendgate ip set IP --hourly-share 1.0` ends pacing)",
    Limit.WINDOW: "wait for the tenant's sending hours, or change them (`sendgate tenant set`)",
    Limit.MAILBOX_MAX: "raise its daily maximum (`sendgate mailbox set`), or use another address",
    Limit.MAILBOX_RAMP: "wait for its next stage, or change its ramp (`sendgate mailbox set`)",
    Limit.MAILBOX_UNKNOWN: "add it (`sendgate mailbox set`), or let the tenant's mailboxes be "
    "discovered (`sendgate tenant set --mailbox-unknown discover`)",
    Limit.MAILBOX_SPACING: "wait, or lower its spacing (`sendgate mailbox set`)",
    Limit.MAILBOX_MINUTE: "wait, or `sendgate tenant set TENANT --mailbox-minute N`",
    Limit.MAILBOX_HOUR: "wait, or `sendgate tenant set TENANT --mailbox-hour N`",
    Limit.IP_MINUTE: "wait, or raise it (`sendgate ip set IP --per-minute N`), or add an IP",
    Limit.IP_HOUR: "wait, or raise it (`sendgate ip set IP --per-hour N`), or add an IP",
    Limit.POOL_MINUTE: "wait, or `sendgate pool set POOL --per-minute N`",
    Limit.POOL_HOUR: "wait, or `sendgate pool set POOL --per-hour N`",
    Limit.PROVIDER_MINUTE: "wait, or raise warmup.provider_minute_limits",
    Limit.PROVIDER_HOUR: "wait, or raise warmup.provider_hourly_limits",
    Limit.TENANT_MINUTE: "wait, or `sendgate tenant set TENANT --per-minute N`",
    Limit.TENANT_HOUR: "wait, or `sendgate tenant set TENANT --per-hour N`",
    Limit.GLOBAL_MINUTE: "wait, or raise warmup.global_minute_limit",
    Limit.GLOBAL_HOUR: "wait, or raise warmup.global_hourly_limit",
    Limit.STOPPED: "`sendgate warmup start`",
    Limit.TENANT_PAUSED: "`sendgate tenant resume TENANT`",
    Limit.POOL_PAUSED: "`sendgate pool resume POOL`",
    Limit.CAMPAIGN_PAUSED: "`sendgate hold resume --tenant TENANT --campaign CAMPAIGN`",
    Limit.HELD_FIRST: "wait: held mail goes first where allowance is scarce; `sendgate hold list`",
    Limit.NO_IP: "add an IP (`sendgate domain add`) or resume one (`sendgate ip resume IP`)",
    Limit.SERVER_AWAY: "bring PowerMTA back; `sendgate server circuits` says who waits for it",
    Limit.UNKNOWN_POOL: "publish again: POST /api/v2/generation",
    Limit.TOO_MANY: "send to fewer recipients at a time",
    Limit.LEDGER_CLOSED: "`sendgate ledger status` says why",
    Limit.LEDGER_AWAY: "bring Valkey back",
}
"""What an operator can do about each limit."""


class Asked(msgspec.Struct, frozen=True):
    """A question with its names looked up."""

    tenant: Tenant
    pool: Pool
    pool_why: str
    mailbox: str
    provider: str

    def reserve(self, circuits: Iterable[tuple[str, str]]) -> Reserve:
        """What the ledger is asked, for who has these circuits open; nothing is charged."""
        away = tuple([name for kind, name in circuits if kind == "server"])
        broken = tuple([name for kind, name in circuits if kind == "vmta"])
        return Reserve(
            tenant=self.tenant.name,
            pool=self.pool.name,
            mailbox=self.mailbox,
            providers=((self.provider, 1),),
            away=away,
            broken=broken,
            dry=True,
        )


def asked(generation: Generation, question: Question) -> Asked:
    """Look the names up. Raises RefusedError for addresses nobody can read and names not there."""
    tenant = generation.tenant.get(question.tenant)
    if tenant is None:
        raise missing("tenant", question.tenant)
    mailbox = mailbox_of(question.sender)
    recipient = split_address(question.to)
    if mailbox is None:
        raise bad("from", f"{quoted(question.sender)} is not an address")
    if recipient is None:
        raise bad("to", f"{quoted(question.to)} is not an address")
    domain = mailbox.rpartition("@")[2]
    name = tenant.domains.get(domain)
    if name is None and tenant.strict:
        raise RefusedError(
            f"tenant {tenant.name} is strict and domain {domain} was not added: refused"
        )
    why = (
        f"sending domain {domain} uses it"
        if name is not None
        else f"domain {domain} was not added: the tenant's default pool"
    )
    pool = generation.pool[name or tenant.default_pool]
    return Asked(tenant, pool, why, mailbox, provider_of(recipient[1]))


def explanation(
    generation: Generation,
    found: Asked,
    decision: Granted | Denied,
    usage: dict[str, IpUsage],
    now: int,
    circuits: Mapping[tuple[str, str], str],
    closed: Mapping[str, str],
) -> Explanation:
    """The decision in words, with every candidate. `circuits`: what is open, by (kind, name);
    `closed`: IPs whose quota only looks used up, with why."""
    candidates = _candidates(generation, found, usage, now, circuits, closed)
    base = Explanation(
        decision="defer",
        sentence="",
        pool=found.pool.name,
        pool_why=found.pool_why,
        mailbox=found.mailbox,
        provider=found.provider,
        generation=generation.number,
        candidates=candidates,
    )
    if isinstance(decision, Granted):
        return msgspec.structs.replace(
            base,
            decision="relay",
            sentence=f"goes now through {decision.vmta} ({decision.ip})",
            vmta=decision.vmta,
            ip=decision.ip,
        )
    if decision.limit is Limit.MAILBOX_UNKNOWN:
        base = msgspec.structs.replace(base, decision="refuse")
    said = decision.sentence()
    if decision.limit is Limit.SERVER_AWAY and circuits:
        said = f"{said}: {'; '.join(circuits.values())}"
    change = CHANGE[decision.limit]
    shut = {c.vmta: c.ip for c in candidates if c.ip in closed}
    if decision.limit in IP_LIMITS and shut:
        change = OPENS
        if (ip := shut.get(decision.subject.partition("/")[0])) is not None:
            said = f"{ip} is {closed[ip]}"
    return msgspec.structs.replace(
        base,
        sentence=said,
        limit=decision.limit.value,
        until=not_before(decision.until) if decision.until else "",
        change=change,
    )


def _candidates(
    generation: Generation,
    found: Asked,
    usage: dict[str, IpUsage],
    now: int,
    circuits: Mapping[tuple[str, str], str],
    closed: Mapping[str, str],
) -> list[Candidate]:
    listed: list[Candidate] = []
    for step in chain(found.pool, generation.pool):
        for name in step.members:
            vmta = generation.vmta[name]
            rests = circuits.get(("server", vmta.server)) or circuits.get(("vmta", name), "")
            one = _candidate(vmta, step, found, usage.get(vmta.ip), now, rests)
            if why := closed.get(vmta.ip):
                one = msgspec.structs.replace(one, skipped=why)
            listed.append(one)
    return listed


def _candidate(
    vmta: VirtualMta, pool: Pool, found: Asked, counted: IpUsage | None, now: int, rests: str
) -> Candidate:
    """`rests`: why some processes leave it alone."""
    usage = to_usage(counted)
    provider = found.provider
    denied = fits(vmta, usage, ((provider, 1),), now, found.tenant.window)
    skipped = denied.sentence() if denied else rests
    if not vmta.state.sends:
        skipped = f"it is {vmta.state.value}"
    elif pool.paused:
        skipped = f"pool {pool.name} is paused"
    by_provider = usage.by_provider.get(provider, 0)
    return Candidate(
        vmta=vmta.name,
        ip=vmta.ip,
        pool=pool.name,
        state=vmta.state.value,
        quota=vmta.daily,
        used=usage.used,
        used_by_provider=by_provider + max(usage.opening_by_provider.get(provider, 0), 0),
        ceiling=vmta.ceilings.get(provider),
        share_used=share_used(usage.used, vmta.daily, vmta.weight),
        skipped=skipped,
        until=not_before(denied.until) if denied and denied.until else "",
    )
