"""From rows to a generation: pure, every problem at once.

Rule: an IP whose rows give no number stops the generation and is named; "no row" is read
neither as unlimited nor as zero.
"""

import msgspec

from control.plan.hours import window
from control.plan.rows import Rows, TenantRow, VmtaRow
from control.problem import RefusedError
from policy.model import (
    DEFAULT_FEEDBACK_ID,
    DEFAULT_LIST_UNSUBSCRIBE,
    UNLIMITED,
    Address,
    Duplicates,
    HoldBounds,
    IpState,
    Login,
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
from policy.warmup import Plan, Stage, default_plan, limits
from settings.hold import Hold
from settings.model import Warmup

DEFAULT_PLAN = "default"


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
    plans = plans_of(rows, warmup)
    found: list[str] = []
    vmtas = []
    for row in rows.vmtas:
        limit = stage_limits(row, plans)
        if isinstance(limit, str):
            found.append(f"IP {row.ip}: {limit}")
            limit = (0, {})
        vmtas.append(_vmta(row, limit[0], limit[1]))
    generation = Generation(
        number=number,
        created=created,
        ledger=ledger,
        servers=tuple(
            Server(
                name=s.name,
                sessions=s.sessions,
                addresses=tuple(msgspec.convert(a, Address) for a in s.addresses),
            )
            for s in rows.servers
        ),
        vmtas=tuple(vmtas),
        pools=tuple(
            Pool(
                name=p.name,
                tenant=p.tenant,
                members=tuple(p.members),
                overflow=p.overflow,
                paused=p.paused,
            )
            for p in rows.pools
        ),
        tenants=tuple(_tenant(t, rows, warmup, hold, created, found) for t in rows.tenants),
        rate=Rate(minute=warmup.global_minute_limit, hour=warmup.global_hourly_limit),
    )
    found += [f"PowerMTA server {s.name} has no address" for s in rows.servers if not s.addresses]
    overflow = {pool.name: pool.overflow for pool in rows.pools}
    if not circles(overflow):
        # Not among what gateways refuse: they and the ledger leave out what lies deeper.
        found += too_deep(overflow)
    return Compiled(generation, found + problems(generation) + _shape_problems(generation))


def plans_of(rows: Rows, warmup: Warmup) -> dict[str, Plan]:
    """Plans by name; `default` is the settings' unless one of that name is stored."""
    plans = {DEFAULT_PLAN: default_plan(warmup.weeks, warmup.provider_shares)}
    stored: dict[str, list[Stage]] = {}
    for row in rows.stages:
        stored.setdefault(row.plan, []).append(Stage(quota=row.quota, ceilings=row.ceilings))
    plans |= {name: Plan(name=name, stages=tuple(stages)) for name, stages in stored.items()}
    return plans


def stage_limits(
    row: VmtaRow, plans: dict[str, Plan]
) -> tuple[int | Unlimited, dict[str, int]] | str:
    """(quota, ceilings) of an IP, or the sentence that says why there is none."""
    own = row.ceilings
    if row.quota_source == "unlimited":
        return UNLIMITED, own or {}
    if row.quota_source == "fixed":
        if row.fixed_quota is None:
            return "its quota is fixed but has no number; set one with `sendgate ip set --quota`"
        return row.fixed_quota, own or {}
    if row.quota_source != "plan":
        return "it has neither a plan nor a quota; set one with `sendgate ip set --quota`"
    plan = plans.get(row.plan or "")
    if plan is None:
        return f"warm-up plan {row.plan or '(none)'} does not exist"
    if row.stage is None:
        return f"it has no stage in warm-up plan {plan.name}"
    try:
        stage = limits(plan, row.stage)
    except ValueError as error:
        return str(error)
    return stage.quota, stage.ceilings if own is None else own


def _vmta(row: VmtaRow, daily: int | Unlimited, ceilings: dict[str, int]) -> VirtualMta:
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
    )


def _tenant(
    row: TenantRow, rows: Rows, warmup: Warmup, hold: Hold, created: float, found: list[str]
) -> Tenant:
    sending = None
    if row.window_start is not None:
        try:
            sending = window(
                row.window_start, row.window_length or 0, row.window_zone or "", created
            )
        except RefusedError as error:
            found.append(f"tenant {row.name}: {error.title}")
    hour = warmup.user_hourly_limit if row.rate_hour is None else row.rate_hour
    return Tenant(
        name=row.name,
        profile=Profile(row.profile),
        paused=row.paused,
        logins=tuple(Login(name=lo.name, hash=lo.hash) for lo in row.logins),
        networks=tuple(row.networks),
        default_pool=row.default_pool,
        domains={d.domain: d.pool for d in rows.domains if d.tenant == row.name},
        strict=row.strict,
        senders=tuple(row.senders),
        mailbox="envelope" if row.mailbox == "envelope" else "from",
        unreadable_from="shared" if row.unreadable_from == "shared" else "refuse",
        mailboxes={
            m.address: MailboxLimits(
                daily_max=m.daily_max, daily_min=m.daily_min, spacing=m.spacing
            )
            for m in rows.mailboxes
            if m.tenant == row.name
        },
        mailbox_default=MailboxLimits(daily_max=row.mailbox_max, spacing=row.mailbox_spacing),
        window=sending,
        rate=Rate(minute=row.rate_minute, hour=hour),
        max_recipients=row.max_recipients,
        hold=_bounds(row, hold),
        duplicates=_duplicates(row),
        # A client that queues by itself let go of what it was told 250 for, and has no other way
        # to hear of it.
        dsn=row.profile == "mta" if row.dsn is None else row.dsn,
        paused_campaigns=tuple(row.paused_campaigns),
    )


def _bounds(row: TenantRow, hold: Hold) -> HoldBounds:
    past = row.hold_past or hold.past_bound
    return HoldBounds(
        messages=hold.messages if row.hold_messages is None else row.hold_messages,
        octets=hold.bytes if row.hold_bytes is None else row.hold_bytes,
        age=row.hold_age or hold.age,
        past="accept" if past == "accept" else "defer",
    )


def _duplicates(row: TenantRow) -> Duplicates:
    # A client that queues by itself repeats under the same Message-ID; MailWizz makes a new one.
    mode = row.duplicates or ("message-id" if row.profile == "mta" else "campaign")
    # Its type is checked with the whole tenant (`_shape_problems`).
    return Duplicates(
        mode=mode,  # type: ignore[arg-type]
        feedback_id=row.feedback_id or DEFAULT_FEEDBACK_ID,
        list_unsubscribe=row.list_unsubscribe or DEFAULT_LIST_UNSUBSCRIBE,
    )


def _shape_problems(generation: Generation) -> list[str]:
    """What gateways would refuse to decode: constraints live in the types, and msgspec checks
    them only when it reads."""
    found = []
    groups = (generation.servers, generation.vmtas, generation.pools, generation.tenants)
    for group in groups:
        for item in group:
            try:
                msgspec.convert(msgspec.to_builtins(item), type(item))
            except msgspec.ValidationError as error:
                found.append(f"{type(item).__name__} {item.name}: {error}")
    return found
