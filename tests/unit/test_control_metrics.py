"""Control's figures as Prometheus reads them: what does not answer takes its own out alone."""

import re
from collections.abc import Sequence

import msgspec

from control.accounting.inbox import InboxState
from control.accounting.setaside import Backlog
from control.accounting.status import StreamView
from control.bypass.view import Standing
from control.ledger.carryover import Figure
from control.ledger.limits import Limit
from control.ledger.status import LedgerState, LedgerStatus
from control.pmta.told import Told, ToldView
from control.suppressions.listed import Listed
from control.watch.declared import DECLARED, WARMUP
from control.watch.engine import ENGINE
from control.watch.figures import Figures
from control.watch.metrics import catalogue, exposition
from control.watch.named import Named
from policy.ledger.bulletin import OpenCircuit
from tests.support.repository import ROOT

_CONTROL = 'email_engine_health_check{service="control"}'

OPEN = LedgerStatus(name="main", state=LedgerState.OPEN, detail="", closed=["192.0.2.1"])
STREAMS = [
    StreamView(server="pmta1", path="/x.csv", age=2.5, behind=10, gap_at=5_000),
    StreamView(server="pmta2", path="/y.csv", problem="not begun yet"),
]
BACKLOG = Backlog(
    inbox=InboxState(waiting=3, octets=900, oldest=9_000, age=12.5, most=2_000, stuck=1),
    set_aside=5,
    set_aside_at=8_000,
)


def told(server: str, end: str, queued: int | None) -> ToldView:
    said = Told(licence_end=end, queued=queued)
    return ToldView(
        server=server, agent="a", agent_version="1", at=0, age=60.0, told=said, troubles=[]
    )


ALL = Figures(
    ledger=OPEN,
    streams=STREAMS,
    workers={"a": 7, "b": 6, "c": 7},
    published=7,
    lost=4,
    backlog=BACKLOG,
    around=[Standing("pmta1", 3, 9_000)],
    carried=[Figure("pmta1", 12, late=True)],
    listed=Listed(entries=70, most=1_000),
    told=[told("pmta1", "2026-03-01", 12), told("pmta2", "", None)],
    named=Named(
        domains={"news.acme.example": False},
        blocklists={("192.0.2.1", "zen.spamhaus.org"): True},
        ips={"warming": 2, "active": 0},
        quotas={"192.0.2.10": 200},
        sent={"192.0.2.10": 120, "192.0.2.11": 7},
        stopped=True,
        queues={"default": 0, "hold": 31, "accounting": 3},
    ),
    circuits={"a": [OpenCircuit("vmta", "v1", "open", "550", 9.0)]},
)


def shown(figures: Figures, limits: Sequence[Limit] = ()) -> dict[str, float]:
    text = exposition(
        figures,
        ledger="main",
        version="1.2.3",
        started=9.0,
        logins={"ok": 2},
        refused={"address": 3},
        limits=limits,
    )
    lines = (line.rpartition(" ") for line in text.splitlines() if not line.startswith("#"))
    return {name: float(value) for name, _, value in lines}


LIMITS = [
    Limit("ip", f"192.0.2.{n}", "acme", "hour", most, used, 0)
    for n, most, used in ((1, 10, 10), (2, 0, 0), (3, 8, 6))
]


def test_limits_are_shown_by_level_alone() -> None:
    found = {name: value for name, value in shown(ALL, LIMITS).items() if "sendgate_limit" in name}
    assert found == {
        'sendgate_limit_fill_ratio{level="ip",span="hour"}': 1.0,
        'sendgate_limits_full{level="ip",span="hour"}': 2.0,
    }


def test_every_figure_is_shown() -> None:
    assert shown(ALL) == {
        'email_engine_ips_total{status="warming"}': 2,
        'email_engine_ips_total{status="active"}': 0,
        'email_engine_warmup_quota{ip="192.0.2.10"}': 200,
        'email_engine_dns_validation{domain="news.acme.example"}': 0,
        'email_engine_blacklist_status{dnsbl="zen.spamhaus.org",ip="192.0.2.1"}': 1,
        'email_engine_warmup_sent{ip="192.0.2.10"}': 120,
        'email_engine_warmup_sent{ip="192.0.2.11"}': 7,
        'email_engine_health_check{service="control"}': 1,
        'email_engine_health_check{service="postgresql"}': 1,
        'email_engine_health_check{service="valkey"}': 1,
        'email_engine_health_check{service="gateway"}': 1,
        'email_engine_health_check{service="pmta"}': 1,
        'email_engine_health_check{service="accounting"}': 0,
        'email_engine_queue_size{queue="default"}': 0,
        'email_engine_queue_size{queue="hold"}': 31,
        'email_engine_queue_size{queue="accounting"}': 3,
        "sendgate_sending_stopped": 1,
        'sendgate_build_info{version="1.2.3"}': 1,
        'sendgate_logins{result="ok"}': 2,
        'sendgate_api_refused{policy="address"}': 3,
        "sendgate_start_time_seconds": 9,
        'sendgate_ledger_open{ledger="main"}': 1,
        'sendgate_ledger_closed_ips{ledger="main"}': 1,
        "sendgate_published_generation": 7,
        "sendgate_workers": 3,
        "sendgate_workers_late": 1,
        'sendgate_outcomes_lost{ledger="main"}': 4,
        'sendgate_bypass_recipients{server="pmta1"}': 3,
        'sendgate_bypass_timestamp_seconds{server="pmta1"}': 9,
        'sendgate_carried_over_recipients{server="pmta1"}': 12,
        'sendgate_carry_over_late{server="pmta1"}': 1,
        "sendgate_suppressions_listed": 70,
        "sendgate_suppressions_limit": 1_000,
        'sendgate_pmta_status_age_seconds{server="pmta1"}': 60,
        'sendgate_pmta_status_age_seconds{server="pmta2"}': 60,
        'sendgate_pmta_queue_recipients{server="pmta1"}': 12,
        'sendgate_pmta_licence_expiry_timestamp_seconds{server="pmta1"}': 20_514 * 86_400,
        'sendgate_accounting_age_seconds{server="pmta1"}': 2.5,
        'sendgate_accounting_behind_bytes{server="pmta1"}': 10,
        'sendgate_accounting_gap_timestamp_seconds{server="pmta1"}': 5,
        'sendgate_accounting_gap_timestamp_seconds{server="pmta2"}': 0,
        'sendgate_accounting_problem{server="pmta1"}': 0,
        'sendgate_accounting_problem{server="pmta2"}': 1,
        "sendgate_accounting_inbox_bytes": 900,
        "sendgate_accounting_inbox_limit_bytes": 2_000,
        "sendgate_accounting_inbox_batches": 3,
        "sendgate_accounting_inbox_age_seconds": 12.5,
        "sendgate_accounting_inbox_given_up": 1,
        "sendgate_accounting_set_aside": 5,
        "sendgate_accounting_set_aside_timestamp_seconds": 8,
    }


def test_a_lost_ledger_and_a_silent_one_are_not_open() -> None:
    for state in LedgerState:
        status = LedgerStatus(name="main", state=state, detail="")
        found = shown(Figures(ledger=status, streams=[], workers={}, published=1))
        assert found['sendgate_ledger_open{ledger="main"}'] == (state is LedgerState.OPEN)


def test_what_does_not_answer_leaves_out_its_own_figures() -> None:
    silent = shown(Figures(ledger=None, streams=None, workers=None, published=None))
    health = {name for name in silent if name.startswith("email_engine_health_check")}
    assert {silent[name] for name in health - {_CONTROL}} == {0}
    assert set(silent) - health == {
        'sendgate_build_info{version="1.2.3"}',
        "sendgate_start_time_seconds",
        'sendgate_logins{result="ok"}',
        'sendgate_api_refused{policy="address"}',
        'sendgate_ledger_open{ledger="main"}',
    }
    assert silent['sendgate_ledger_open{ledger="main"}'] == 0


def test_a_server_that_gateways_leave_alone_is_not_well() -> None:
    rests = {"a": [OpenCircuit("server", "pmta1", "open", "421", 9.0)]}
    found = shown(msgspec.structs.replace(ALL, circuits=rests))
    assert found['email_engine_health_check{service="pmta"}'] == 0


def test_the_page_lists_what_is_served() -> None:
    page = (ROOT / "deploy" / "CONTROL-METRICS.md").read_text(encoding="utf-8")
    assert page == catalogue(), "run: python -m control.watch.metrics > deploy/CONTROL-METRICS.md"
    served = {name.partition("{")[0] for name in shown(ALL, LIMITS)}
    # tests/unit/test_mailbox_standing.py has those.
    warmup = {one.name for one in WARMUP}
    assert served == {one.name for one in DECLARED} - warmup
    # tests/unit/test_engine_metrics.py has these.
    listed = set(re.findall(r"^\| `([a-z_]+)`", page, re.MULTILINE))
    assert listed == {one.name for one in (*DECLARED, *ENGINE)}
