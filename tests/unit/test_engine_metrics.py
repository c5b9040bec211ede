"""Metrics by the older engine's names: what they say, and that what is not known is not there."""

from pathlib import Path

import msgspec
import pytest

from control.health.disks import Disk, fullest, memory
from control.ledger.carryover import Figure
from control.pmta.told import Told, ToldView
from control.watch.done import Done
from control.watch.engine import COUNTERS, ENGINE, Host, families
from control.watch.figures import Figures
from control.watch.metrics import exposition
from control.watch.named import Named
from policy.ledger.bulletin import OpenCircuit

NOTHING = Figures(ledger=None, streams=None, workers=None, published=None)
NAMED = Named(
    ips={"warming": 2, "active": 3},
    quotas={},
    sent={},
    stopped=False,
    queues={},
    domains={},
    blocklists={
        ("192.0.2.1", "zen.spamhaus.org"): True,
        ("192.0.2.1", "psbl.surriel.com"): True,
        ("192.0.2.2", "zen.spamhaus.org"): False,
    },
    servers=("pmta1", "pmta2"),
    unfinished={"pmta1": 40},
    bounces=17,
)


HOST = Host(0.5, 0.25)


def told(server: str, queued: int | None, age: float = 60.0) -> ToldView:
    said = Told(queued=queued)
    return ToldView(
        server=server, agent="a", agent_version="1", at=0, age=age, told=said, troubles=[]
    )


def shown(of: Figures, host: Host = HOST, done: Done | None = None) -> dict[str, float]:
    found = families(of, host, done or Done())
    text = exposition(of, ledger="main", version="1", started=0.0, engine=list(found))
    lines = (line.rpartition(" ") for line in text.splitlines() if not line.startswith("#"))
    declared = {one.name for one in ENGINE}
    return {n: float(v) for n, _, v in lines if n.partition("{")[0] in declared}


ALL = msgspec.structs.replace(
    NOTHING,
    named=NAMED,
    circuits={"a": [OpenCircuit("server", "pmta2", "open", "refused", 9.0)]},
    carried=[Figure("pmta1", 2, late=False)],
)


def test_each_is_shown() -> None:
    done = Done()
    done.checked(12)
    done.alerted("warning")
    assert shown(ALL, Host(0.8561, 0.5), done) == {
        "email_engine_ips_active": 3,
        "email_engine_ips_warming": 2,
        "email_engine_ips_blacklisted": 1,
        'email_engine_pmta_running{server="pmta1"}': 1,
        'email_engine_pmta_running{server="pmta2"}': 0,
        'email_engine_pmta_queue_size{server="pmta1"}': 42,
        "email_engine_disk_usage_pct": 85.61,
        "email_engine_ram_usage_pct": 50,
        "email_engine_bounces_received_total": 17,
        "email_engine_blacklist_checks_total": 12,
        'email_engine_alerts_sent_total{severity="info"}': 0,
        'email_engine_alerts_sent_total{severity="warning"}': 1,
        'email_engine_alerts_sent_total{severity="critical"}': 0,
    }
    assert {name.partition("{")[0] for name in shown(ALL)} == {one.name for one in ENGINE}


def test_what_is_not_known_is_not_there() -> None:
    found = {name.partition("{")[0] for name in shown(NOTHING, Host(0.5, None))}
    assert found == {
        "email_engine_disk_usage_pct",
        "email_engine_blacklist_checks_total",
        "email_engine_alerts_sent_total",
    }


@pytest.mark.parametrize(("age", "size"), [(60.0, 7), (901.0, 42)])
def test_an_agent_knows_the_queue_better_while_it_speaks(age: float, size: int) -> None:
    of = msgspec.structs.replace(ALL, told=[told("pmta1", 7, age), told("pmta2", None)])
    found = shown(of)
    assert found['email_engine_pmta_queue_size{server="pmta1"}'] == size
    assert 'email_engine_pmta_queue_size{server="pmta2"}' not in found


def test_a_vmtas_circuit_is_no_servers() -> None:
    vmta = {"a": [OpenCircuit("vmta", "pmta1", "open", "550", 9.0)]}
    found = shown(msgspec.structs.replace(ALL, circuits=vmta))
    assert found['email_engine_pmta_running{server="pmta1"}'] == 1
    away = shown(msgspec.structs.replace(ALL, circuits=None))
    assert not [name for name in away if "pmta_running" in name]


def test_those_that_only_grow_are_counters() -> None:
    text = exposition(
        ALL,
        ledger="main",
        version="1",
        started=0.0,
        engine=list(families(ALL, Host(0, 0), Done())),
    )
    counters = {line.split()[2] for line in text.splitlines() if line.endswith(" counter")}
    assert counters == {one.name for one in COUNTERS}


def test_memory_is_what_cannot_be_had_without_swapping(tmp_path: Path) -> None:
    file = tmp_path / "meminfo"
    file.write_text("MemTotal:  1000 kB\nMemFree:  10 kB\nMemAvailable:  250 kB\nHuge: 0\n")
    assert memory(file) == 0.75
    file.write_text("MemTotal:  1000 kB\n")
    assert memory(file) is None
    assert memory(tmp_path / "none") is None
    here = memory()
    assert here is None or 0 < here < 1


def test_the_fullest_disk_is_found_by_a_folder_that_is_not_there_yet(tmp_path: Path) -> None:
    found = fullest([tmp_path / "not" / "yet"])
    assert isinstance(found, Disk)
    assert found.path == str(tmp_path)
    assert 0 <= found.used <= 1
