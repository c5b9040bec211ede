"""From rows to a generation: pure, every problem at once.

Rule: an IP whose rows give no number stops the generation and is named; "no row" is read
neither as unlimited nor as zero.
"""

from collections.abc import Iterable

import msgspec

from control.plan.hours import window
from control.plan.login import login_of
from control.plan.mailbox import common_limits, mailbox_limits
from control.plan.rows import (
    PoolRow,
    Rows,
    ServerRow,
    StageRow,
    TenantRow,
    VmtaRow,
)
from control.plan.terms import Terms
from control.problem import RefusedError
from policy.model import (
    DEFAULT_FEEDBACK_ID,
    DEFAULT_LIST_UNSUBSCRIBE,
    UNLIMITED,
    Address,
    Duplicates,
    HoldBounds,
    IpState,
    MailboxLimits,
    Pool,
    Profile,
    Rate,
    Server,
    Tenant,
    Unlimited,
    VirtualMta,
)
from policy.overflow import circles, too_deep
from policy.plan import Generation, problems
from policy.warmup.plan import Plan, Stage, default_plan, limits
from settings.hold import Hold
from settings.model import Warmup

DEFAULT_PLAN = "default"

Item = Server | VirtualMta | Pool | Tenant
"""What a plan consists of; each has a name."""


class Compiled(msgspec.Struct, frozen=True):
    """The generation, and why it must not be used (empty: it may)."""

    generation: Generation
    problems: list[str]


def compile_generation(
    rows: Rows,
    warmup: Warmup,
    hold: Hold,
    *,
    number: int,
    created: float,
    ledger: str = "main",
) -> Compiled:
    """`created` in UTC seconds."""
    plans = plans_of(rows.stages, warmup)
    found: list[str] = []
    domains: dict[str, dict[str, str]] = {}
    for d in rows.domains:
        domains.setdefault(d.tenant, {})[d.domain] = d.pool
    mailboxes: dict[str, dict[str, MailboxLimits]] = {}
    for m in rows.mailboxes:
        mailboxes.setdefault(m.tenant, {})[m.address] = mailbox_limits(m)
    terms = TenantTerms(warmup=warmup, hold=hold, created=created)
    generation = Generation(
        number=number,
        created=created,
        ledger=ledger,
        servers=tuple(server_of(s, found) for s in rows.servers),
        vmtas=tuple(vmta_of(v, plans, found) for v in rows.vmtas),
        pools=tuple(pool_of(p) for p in rows.pools),
        tenants=tuple(
            tenant_of(t, domains.get(t.name, {}), mailboxes.get(t.name, {}), terms, found)
            for t in rows.tenants
        ),
        rate=Rate(minute=warmup.global_minute_limit, hour=warmup.global_hourly_limit),
        provider_rates=_provider_rates(warmup),
        stopped=rows.stopped,
    )
    made: list[Item] = [*generation.servers, *generation.vmtas, *generation.pools]
    made += generation.tenants
    return Compiled(generation, found + plan_problems(generation, made))


def _provider_rates(warmup: Warmup) -> dict[str, Rate]:
    minutes, hours = warmup.provider_minute_limits, warmup.provider_hourly_limits
    return {
        provider: Rate(minute=minutes.get(provider), hour=hours.get(provider))
        for provider in sorted({*minutes, *hours})
    }


def plan_problems(generation: Generation, made: Iterable[Item]) -> list[str]:
    """Why a generation must not be used, of which `made` has not been looked at before."""
    overflow = {pool.name: pool.overflow for pool in generation.pools}
    # Deep ones are not among what gateways refuse: they and the ledger leave out what lies deeper.
    deep = [] if circles(overflow) else too_deep(overflow)
    return deep + problems(generation) + _shape_problems(made)


def plans_of(stages: Iterable[StageRow], warmup: Warmup) -> dict[str, Plan]:
    """Plans by name; `default` is the settings' unless one of that name is stored."""
    plans = {DEFAULT_PLAN: default_plan(warmup.weeks, warmup.provider_shares)}
    stored: dict[str, list[StageRow]] = {}
    for row in stages:
        stored.setdefault(row.plan, []).append(row)
    for name, of in stored.items():
        plans[name] = Plan(
            name=name,
            stages=tuple(Stage(quota=row.quota, ceilings=row.ceilings) for row in of),
            days=of[0].days,
            growth=of[0].growth,
            breach=of[0].breach,
        )
    return plans


def stage_limits(
    row: VmtaRow, plans: dict[str, Plan]
) -> tuple[int | Unlimited, dict[str, int]] | str:
    """(quota, ceilings) of an IP, or the sentence that says why there is none."""
    own = row.ceilings
    paused = dict.fromkeys((p for p, stage in (row.held or {}).items() if not stage), 0)
    if row.quota_source == "unlimited":
        return UNLIMITED, (own or {}) | paused
    if row.quota_source == "fixed":
        if row.fixed_quota is None:
            return "its quota is fixed but has no number; set one with `sendgate ip set --quota`"
        return row.fixed_quota, (own or {}) | paused
    if row.quota_source != "plan":
        return "it has neither a plan nor a quota; set one with `sendgate ip set --quota`"
    plan = plans.get(row.plan or "")
    if plan is None:
        return f"warm-up plan {row.plan or '(none)'} does not exist"
    if row.stage is None:
        return f"it has no stage in warm-up plan {plan.name}"
    held = {provider: at for provider, at in (row.held or {}).items() if at}
    try:
        stage = limits(plan, row.stage, held)
    except ValueError as error:
        return str(error)
    quota, ceilings = stage.quota, stage.ceilings
    if row.grown is not None and row.stage >= len(plan.stages):
        # Past its end a plan's shares stay, of more.
        ceilings = {
            p: count if p in held else count * row.grown // quota for p, count in ceilings.items()
        }
        quota = row.grown
    if own is not None:
        ceilings = own | {p: min(own.get(p, quota), ceilings.get(p, quota)) for p in held}
    return quota, ceilings | paused


def server_of(row: ServerRow, found: list[str]) -> Server:
    """A server of the plan; problems are added to `found`, here and below."""
    if not row.addresses:
        found.append(f"PowerMTA server {row.name} has no address")
    return Server(
        name=row.name,
        sessions=row.sessions,
        addresses=tuple(msgspec.convert(a, Address) for a in row.addresses),
    )


def vmta_of(row: VmtaRow, plans: dict[str, Plan], found: list[str]) -> VirtualMta:
    """A VirtualMTA of the plan."""
    limit = stage_limits(row, plans)
    if isinstance(limit, str):
        found.append(f"IP {row.ip}: {limit}")
        limit = (0, {})
    daily, ceilings = limit
    return VirtualMta(
        name=row.name,
        ip=row.ip,
        host_name=row.host_name,
        server=row.server,
        state=IpState(row.state),
        daily=daily,
        hourly_share=row.hourly_share,
        weight=row.weight,
        ceilings=ceilings,
        rate=Rate(minute=row.per_minute, hour=row.per_hour),
    )


def pool_of(row: PoolRow) -> Pool:
    """A pool of the plan."""
    return Pool(
        name=row.name,
        tenant=row.tenant,
        members=tuple(row.members),
        overflow=row.overflow,
        paused=row.paused,
        rate=Rate(minute=row.per_minute, hour=row.per_hour),
    )


class TenantTerms(msgspec.Struct, frozen=True, kw_only=True):
    """What a tenant takes where its row says nothing, and when."""

    warmup: Warmup
    hold: Hold
    created: float


def tenant_of(
    row: TenantRow,
    domains: dict[str, str],
    mailboxes: dict[str, MailboxLimits],
    terms: TenantTerms,
    found: list[str],
) -> Tenant:
    """A tenant of the plan. `domains`: to pool."""
    sending = None
    if row.window_start is not None:
        try:
            sending = window(
                row.window_start, row.window_length or 0, row.window_zone or "", terms.created
            )
        except RefusedError as error:
            found.append(f"tenant {row.name}: {error.detail}")
    hour = terms.warmup.user_hourly_limit if row.per_hour is None else row.per_hour
    return Tenant(
        name=row.name,
        profile=Profile(row.profile),
        paused=row.paused,
        logins=() if row.leaving else tuple(map(login_of, row.logins)),
        networks=() if row.leaving else tuple(row.networks),
        default_pool=row.default_pool,
        domains=domains,
        strict=row.strict,
        senders=tuple(row.senders),
        mailbox=row.mailbox,
        unreadable_from=row.unreadable_from,
        suppressed=row.suppressed,
        mailboxes=mailboxes,
        mailbox_unknown=row.mailbox_unknown,
        mailbox_default=common_limits(row, terms.warmup),
        mailbox_ramp=tuple(row.mailbox_ramp),
        mailbox_ramp_days=row.mailbox_ramp_days,
        window=sending,
        rate=Rate(minute=row.per_minute, hour=hour),
        weight=row.weight,
        max_recipients=row.max_recipients,
        hold=_bounds(row, terms.hold),
        duplicates=_duplicates(row),
        # A client that queues by itself let go of what it was told 250 for, and has no other way
        # to hear of it.
        dsn=row.profile == "mta" if row.dsn is None else row.dsn,
        paused_campaigns=tuple(row.paused_campaigns),
        id=row.id,
        keyed_by_id=row.keyed_by_id,
    )


def _bounds(row: Terms, hold: Hold) -> HoldBounds:
    return HoldBounds(
        messages=hold.messages if row.hold_messages is None else row.hold_messages,
        octets=hold.bytes if row.hold_bytes is None else row.hold_bytes,
        age=row.hold_age or hold.age,
        past=row.hold_past or hold.past_bound,
    )


def _duplicates(row: Terms) -> Duplicates:
    # A client that queues by itself repeats under the same Message-ID; MailWizz makes a new one.
    mode = row.duplicates or ("message-id" if row.profile == "mta" else "campaign")
    return Duplicates(
        mode=mode,
        feedback_id=row.feedback_id or DEFAULT_FEEDBACK_ID,
        list_unsubscribe=row.list_unsubscribe or DEFAULT_LIST_UNSUBSCRIBE,
    )


def _shape_problems(items: Iterable[Item]) -> list[str]:
    """What gateways would refuse to decode: constraints live in the types, and msgspec checks
    them only when it reads."""
    found = []
    for item in items:
        try:
            msgspec.msgpack.decode(msgspec.msgpack.encode(item), type=type(item))
        except msgspec.ValidationError as error:
            found.append(f"{type(item).__name__} {item.name}: {error}")
    return found
