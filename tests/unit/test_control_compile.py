"""From rows to a generation: nothing is guessed, every problem is named."""

import msgspec
import pytest

from control.plan.compile import compile_generation
from control.plan.narrow import narrow
from control.plan.rows import (
    DomainRow,
    LoginRow,
    MailboxRow,
    PoolRow,
    Rows,
    ServerRow,
    StageRow,
    TenantRow,
    VmtaRow,
)
from policy.model import Duplicates, HoldBounds, Login, Rate
from policy.plan import decode, encode
from settings.hold import Hold
from settings.model import Warmup

VMTA = VmtaRow(
    name="vmta-1",
    tenant="acme",
    ip="192.0.2.1",
    host_name="mail1.acme.example",
    server="pmta1",
    state="warming",
    quota_source="plan",
    fixed_quota=None,
    hourly_share=0.2,
    weight=1.0,
    plan="default",
    stage=1,
    ceilings=None,
)
TENANT = TenantRow(
    name="acme",
    profile="mailwizz",
    paused=False,
    strict=False,
    default_pool="acme",
    senders=[],
    mailbox="from",
    max_recipients=100,
    logins=[LoginRow("acme-smtp", "$argon2id$x")],
    networks=[],
)
ROWS = Rows(
    servers=[ServerRow("pmta1", 80, [{"host": "127.0.0.1", "port": 2525}])],
    tenants=[TENANT],
    pools=[PoolRow("acme", "acme", None, False, ["vmta-1"])],
    vmtas=[VMTA],
    domains=[DomainRow("acme", "acme.example", "acme", "sg", "p")],
)


def with_vmta(**changes: object) -> Rows:
    return msgspec.structs.replace(ROWS, vmtas=[msgspec.structs.replace(VMTA, **changes)])


def compiled(rows: Rows, warmup: Warmup | None = None, hold: Hold | None = None):  # type: ignore[no-untyped-def]
    return compile_generation(
        rows, warmup or Warmup(), Hold() if hold is None else hold, number=7, created=1.0
    )


def test_rows_become_a_generation_gateways_read() -> None:
    found = compiled(ROWS)
    assert found.problems == []
    assert decode(encode(found.generation)) == found.generation
    assert found.generation.vmta["vmta-1"].daily == 50
    assert found.generation.login["acme-smtp"] == (
        "acme",
        Login(name="acme-smtp", hash="$argon2id$x"),
    )


@pytest.mark.parametrize(
    ("changes", "daily", "ceilings"),
    [
        ({"stage": 2}, 200, {"gmail": 120, "microsoft": 80, "yahoo": 80, "apple": 80}),
        ({"stage": 99}, 10_000, None),
        ({"ceilings": {"gmail": 1}}, 50, {"gmail": 1}),
        ({"quota_source": "fixed", "fixed_quota": 7}, 7, {}),
        ({"quota_source": "fixed", "fixed_quota": 0}, 0, {}),
        ({"quota_source": "unlimited"}, "unlimited", {}),
        ({"plan": "slow"}, 3, {"gmail": 2}),
    ],
)
def test_where_a_quota_comes_from(changes: dict, daily: object, ceilings: dict | None) -> None:  # type: ignore[type-arg]
    rows = msgspec.structs.replace(
        with_vmta(**changes), stages=[StageRow("slow", 1, 3, {"gmail": 2})]
    )
    found = compiled(rows)
    assert found.problems == []
    assert found.generation.vmtas[0].daily == daily
    if ceilings is not None:
        assert found.generation.vmtas[0].ceilings == ceilings


@pytest.mark.parametrize(
    "changes",
    [
        {"quota_source": None},
        {"quota_source": "fixed"},
        {"plan": "gone"},
        {"plan": None},
        {"stage": None},
    ],
)
def test_an_ip_without_a_number_stops_the_generation_by_name(changes: dict) -> None:  # type: ignore[type-arg]
    assert any("IP 192.0.2.1: " in text for text in compiled(with_vmta(**changes)).problems)


def test_every_problem_is_reported_at_once() -> None:
    rows = msgspec.structs.replace(
        with_vmta(quota_source=None, server="gone", weight=0.0),
        pools=[PoolRow("acme", "acme", "acme", False, ["vmta-1"])],
    )
    text = "\n".join(compiled(rows).problems)
    for part in (
        "192.0.2.1",
        "server gone does not exist",
        "pool acme overflows into itself",
        "$.weight",
    ):
        assert part in text, text


def test_limits_of_settings_tenants_and_mailboxes() -> None:
    warmup = Warmup(global_hourly_limit=9, user_hourly_limit=5)
    rows = msgspec.structs.replace(ROWS, mailboxes=[MailboxRow("acme", "a@acme.example", 3, 2.0)])
    generation = compiled(rows, warmup).generation
    assert (generation.rate.hour, generation.tenants[0].rate.hour) == (9, 5)
    assert generation.tenants[0].mailboxes["a@acme.example"].daily_max == 3
    own = msgspec.structs.replace(TENANT, per_hour=0)
    rows = msgspec.structs.replace(ROWS, tenants=[own])
    assert compiled(rows, warmup).generation.tenants[0].rate.hour == 0


def test_limits_of_a_minute_and_an_hour_at_every_level() -> None:
    warmup = Warmup(
        global_minute_limit=1,
        provider_minute_limits={"gmail": 2},
        provider_hourly_limits={"gmail": 3, "yahoo": 4},
    )
    own = msgspec.structs.replace(TENANT, per_minute=5, mailbox_minute=6, mailbox_hour=7)
    pools = [msgspec.structs.replace(ROWS.pools[0], per_minute=8), *ROWS.pools[1:]]
    vmtas = [msgspec.structs.replace(ROWS.vmtas[0], per_hour=9), *ROWS.vmtas[1:]]
    rows = msgspec.structs.replace(ROWS, tenants=[own], pools=pools, vmtas=vmtas)
    plan = compiled(rows, warmup).generation
    assert plan.rate == Rate(minute=1)
    assert plan.provider_rates == {"gmail": Rate(minute=2, hour=3), "yahoo": Rate(hour=4)}
    assert plan.tenants[0].rate == Rate(minute=5)
    assert plan.tenants[0].mailbox_default.rate == Rate(minute=6, hour=7)
    assert (plan.pools[0].rate, plan.vmtas[0].rate) == (Rate(minute=8), Rate(hour=9))


def test_limits_below_what_is_to_go_are_named() -> None:
    warmup = Warmup(global_hourly_limit=2, user_hourly_limit=1)
    mailboxes = [MailboxRow("acme", "a@acme.example", None, 0.0, 30)]
    rows = msgspec.structs.replace(ROWS, mailboxes=mailboxes)
    said = narrow(compiled(rows, warmup).generation)
    assert said[0] == (
        "the limit of tenant acme, 1 in any hour, admits 24 a day: its mailboxes' minimums are 30"
    )
    assert [text for text in said if "whole gateway, 2 in any hour, admits 48 a day" in text]
    assert narrow(compiled(rows, Warmup(global_minute_limit=1_000_000)).generation) == []
    # Of one that may send less than the tenant's minimum no more is due.
    least = msgspec.structs.replace(TENANT, mailbox_min=30, per_minute=0)
    mailboxes = [MailboxRow("acme", "a@acme.example", 10, None)]
    rows = msgspec.structs.replace(ROWS, tenants=[least], mailboxes=mailboxes)
    assert narrow(compiled(rows, Warmup()).generation)[0].endswith("minimums are 10")
    own = [
        MailboxRow("acme", "a@acme.example", None, 0.0, 30, per_hour=1),
        MailboxRow("acme", "b@acme.example", None, 0.0, 30, per_minute=1),
        MailboxRow("acme", "c@acme.example", None, 0.0, per_hour=1),
        MailboxRow("acme", "d@acme.example", None, 0.0, 25, per_hour=1),
    ]
    rows = msgspec.structs.replace(ROWS, mailboxes=own)
    [sentence] = narrow(compiled(rows, Warmup()).generation)
    assert sentence.startswith("tenant acme: limits of a minute or an hour of mailboxes admit less")
    assert sentence.endswith("a@acme.example and 1 more")


def test_a_tenant_without_terms_of_its_own_has_those_of_the_settings() -> None:
    hold = Hold(messages=7, bytes=70, age=700.0, past_bound="accept")
    tenant = compiled(ROWS, hold=hold).generation.tenants[0]
    assert tenant.hold == HoldBounds(messages=7, octets=70, age=700.0, past="accept")
    assert tenant.duplicates == Duplicates()
    mta = msgspec.structs.replace(TENANT, profile="mta")
    rows = msgspec.structs.replace(ROWS, tenants=[mta])
    assert compiled(rows).generation.tenants[0].duplicates.mode == "message-id"


def test_a_tenants_own_terms_win_and_zero_is_a_bound() -> None:
    pattern = "(?P<campaign>x)(?P<subscriber>y)"
    own = msgspec.structs.replace(
        TENANT,
        profile="mta",
        hold_messages=0,
        hold_bytes=0,
        hold_age=60.0,
        hold_past="defer",
        duplicates="campaign",
        feedback_id=pattern,
        dsn=True,
        paused_campaigns=["c1"],
    )
    rows = msgspec.structs.replace(
        ROWS, tenants=[own], mailboxes=[MailboxRow("acme", "a@acme.example", 9, 0.0, 3)]
    )
    hold = Hold(past_bound="accept")
    tenant = compiled(rows, hold=hold).generation.tenants[0]
    assert tenant.hold == HoldBounds(messages=0, octets=0, age=60.0, past="defer")
    assert (tenant.duplicates.mode, tenant.duplicates.feedback_id) == ("campaign", pattern)
    assert tenant.duplicates.list_unsubscribe == Duplicates().list_unsubscribe
    assert (tenant.dsn, tenant.paused_campaigns) == (True, ("c1",))
    assert tenant.mailboxes["a@acme.example"].daily_min == 3
