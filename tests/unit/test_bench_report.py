"""What the benchmark shows: cases, tables, plot, JSON, names of processes."""

import json
import subprocess
import sys
from xml.etree import ElementTree

import pytest

from loadtest.benchmark import plot, sessions, table
from loadtest.benchmark.case import Case, all_cases, chosen, quick_cases
from loadtest.benchmark.latency import Latency
from loadtest.benchmark.machine import Machine, machine
from loadtest.benchmark.neighbours import Meter
from loadtest.benchmark.options import parse
from loadtest.benchmark.processes import Usage, name_of
from loadtest.benchmark.record import Record
from loadtest.benchmark.result import BARE, Result
from loadtest.benchmark.sinks import Count
from loadtest.benchmark.soak import Sample, Soak
from loadtest.injection.tally import Tally


def _result() -> Result:
    case = Case(
        size=4096, kept=True, connections=20, workers=1, messages=1, headers=True,
        needed=0.40, needed_peers={"postfix proxy": 2.5},
    )  # fmt: skip
    series = {
        "direct": [100.0, 110.0, 90.0],
        "sendgate": [45.0, 44.0, 46.0],
        BARE: [50.0, 50.0, 50.0],
        "postfix proxy": [30.0, 30.0, 30.0],
    }
    return Result(case, series, [0.1, 0.2, 0.3], {"worker 0": 0.0001}, {"worker 0": 2**20}, 0.00003)


def test_every_case_has_a_name_of_its_own() -> None:
    names = [case.name for case in all_cases()]
    assert len(set(names)) == len(names)


def test_the_cases_cover_every_combination() -> None:
    found = {(c.size, c.kept, c.workers, c.connections) for c in all_cases() if c.peers}
    assert len(found) == 16
    assert any(c.login for c in all_cases())
    assert any(c.tls for c in all_cases())
    assert any(c.sink == "realistic" for c in all_cases())


def test_what_is_needed_stands_at_one_worker_and_twenty_connections() -> None:
    needed = {c.name: c.needed for c in all_cases() if c.needed}
    assert needed == {
        "4 KB, kept, 20 conn, 1 w": 0.40,
        "40 KB, kept, 20 conn, 1 w": 0.60,
        "4 KB, each, 20 conn, 1 w": 0.35,
    }


def test_quick_is_four_cases_without_the_realistic_sink() -> None:
    assert len(quick_cases()) == 4
    assert all(case.sink == "accept" and case.workers == 1 for case in quick_cases())


@pytest.mark.parametrize(("pattern", "count"), [("STARTTLS", 2), ("4 kb, *, 2 w", 4), ("none", 0)])
def test_a_pattern_chooses(pattern: str, count: int) -> None:
    assert len(chosen(all_cases(), pattern)) == count


def test_columns_line_up() -> None:
    assert table.table(("a", "bb"), [("long", "1")]) == "a      bb\nlong    1"


def test_the_table_says_whether_it_is_enough() -> None:
    line = table.throughput([_result()]).splitlines()[1]
    assert line.endswith("0.40 yes      20%")
    assert "0.45" in line
    peer = table.peers([_result()]).splitlines()[1]
    assert peer.endswith("2.50 NO")
    assert "10%" in table.headers([_result()])
    assert "30 µs" in table.injector([_result()])
    assert "100 µs 1 MiB" in table.resources([_result()])


def test_latency_is_what_is_added() -> None:
    found = Latency(100.0, 20)
    found.add("direct", [0.001] * 100)
    found.add("sendgate", [0.002] * 98 + [0.02] * 2)
    first, second = table.latency(found).splitlines()[1:]
    assert first.endswith("1.00 ms   3 ms yes")
    assert second.endswith("19.00 ms   15 ms NO")


def _machine() -> Machine:
    return Machine(
        cores=2, cpu="<Any & all>", python="CPython", pgo=True, compiled=True, revision="v1"
    )


def test_sessions_stand_beside_their_own_direct_rates() -> None:
    direct = {count: [1000.0 * count] for count in sessions.SESSIONS}
    through = {count: [10.0, 300.0 + count, 9000.0] for count in sessions.SESSIONS}
    shown = sessions.table([sessions.Series(2, 0.005, through, direct)]).splitlines()
    assert shown[1].startswith("5 ms late, direct")
    assert shown[1].split()[-1] == "200000"
    assert shown[2].startswith("5 ms late, 2 w")
    assert shown[2].split()[-2:] == ["400", "500"]


def test_the_plot_is_an_image_with_every_case() -> None:
    image = plot.plot([_result(), _result()], _machine().cpu)
    root = ElementTree.fromstring(image)
    texts = [node.text for node in root.iter("{http://www.w3.org/2000/svg}text")]
    assert texts.count(_result().case.name) == 2
    assert _machine().cpu in texts
    assert "0.45" in texts


def test_the_record_keeps_every_round() -> None:
    record = Record(machine=_machine(), results=[_result()], skipped={"haraka": "node missing"})
    said = json.loads(record.encode())
    (result,) = said["results"]
    assert result["messages_a_second"]["sendgate"] == [45.0, 44.0, 46.0]
    assert result["sendgate_over"]["direct"]["ratio"] == pytest.approx(0.45)
    assert result["needed"] == {"direct": 0.4, "postfix proxy": 2.5}
    assert result["headers_cost"] == pytest.approx(0.1)
    assert said["skipped"] == {"haraka": "node missing"}
    assert said["machine"]["pgo"] is True


def test_others_have_a_share_of_the_machine() -> None:
    assert 0.0 <= Meter().others() <= 1.0


def test_this_machine_is_described() -> None:
    assert machine().cores >= 1
    assert machine().python.split()[1] == sys.version.split()[0]


@pytest.mark.parametrize(
    ("line", "name"),
    [
        ("/v/bin/python -m gateway --config c --worker 1 --listen-fds 3", "worker 1"),
        ("/v/bin/python -m gateway --config c --releaser 0", "releaser 0"),
        ("/v/bin/python -m gateway --config c", "supervisor"),
        ("/v/bin/python /v/bin/sendgate up --no-demo", "control"),
        ("/x/valkey-server /d/valkey.conf", "valkey"),
        ("postgres: checkpointer ", "postgres"),
        ("/x/bin/postgres -D data", "postgres"),
        ("/bin/sh", "sh"),
    ],
)
def test_processes_have_names(line: str, name: str) -> None:
    words = [line] if line.startswith("postgres:") else line.split()
    assert name_of("\0".join(words).encode() + b"\0") == name


def _soak(**changes: int) -> Soak:
    counts = {"accepted": 100, "distinct": 100, "twice": 0, "waiting": 0, "grown": 0, **changes}
    rss = 100 * 2**20
    samples = [
        Sample(at, {"worker 0": Usage(rss=rss + grown, descriptors=9), "valkey": Usage(rss=grown)})
        for at, grown in ((0.0, 0), (5.0, 0), (10.0, counts["grown"] * 2**20))
    ]
    count = Count(taken=counts["distinct"], distinct=counts["distinct"], twice=counts["twice"])
    return Soak(10, 1, 50, Tally(accepted=counts["accepted"]), counts["waiting"], count, samples)


def test_a_good_soak_has_no_faults() -> None:
    assert _soak().faults() == []
    assert "lost 0" in table.soak(_soak())
    assert _soak(distinct=98, waiting=2).faults() == []


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"distinct": 99}, "1 messages lost"),
        ({"twice": 1}, "1 messages twice"),
        ({"grown": 10}, "worker 0 grew by 10.0 MiB in the second half"),
    ],
)
def test_a_soak_names_its_faults(changes: dict[str, int], fault: str) -> None:
    assert _soak(**changes).faults() == [fault]


def test_options_have_defaults_by_kind_of_run() -> None:
    assert parse([], None).rounds == 3
    assert parse(["--quick"], None).rounds == 5
    assert parse(["--peers", "none"], None).peers == ()
    assert parse([], None).json is None
    assert str(parse(["--json"], None).json).endswith("loadtest/baselines/bench.json")


@pytest.mark.parametrize(
    "line", ["--peers exim", "--rounds 0", "--save-baseline", "--quick --save-baseline --only 4"]
)
def test_a_bad_option_is_refused(line: str) -> None:
    with pytest.raises(SystemExit) as ended:
        parse(line.split(), None)
    assert ended.value.code == 2


def test_list_needs_nothing_installed() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "loadtest.bench", "--list", "--only", "realistic"],
        capture_output=True, text=True, timeout=60, env={"PATH": ""}, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) == 2
