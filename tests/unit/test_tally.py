"""Counts kept in the process: nothing is lost or doubled on the way to prometheus-client."""

import subprocess
import sys
from pathlib import Path

import prometheus_client
import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry

from gateway.watch.tally import Counter, Counters, Histogram, Level

BOUNDS = (0.5, 1.0, 2.5)


def test_whoever_collects_sees_what_was_just_counted() -> None:
    registry = CollectorRegistry(auto_describe=True)
    plain = Counter("things_total", "Things.", registry=registry)
    by_kind = Counters("kinds_total", "Things by kind.", {"kind": ()}, registry=registry)
    gauge = prometheus_client.Gauge("open", "Open now.", registry=None)
    level = Level(gauge, registry=registry)
    plain.inc()
    plain.inc(2)
    by_kind.labels("a").inc()
    by_kind.labels("a").inc(4)
    by_kind.labels("b")
    level.inc()
    level.inc()
    level.dec()
    for _ in range(2):  # handed over once
        assert registry.get_sample_value("things_total") == 3
        assert registry.get_sample_value("kinds_total", {"kind": "a"}) == 5
        assert registry.get_sample_value("kinds_total", {"kind": "b"}) == 0
        assert registry.get_sample_value("open") == 1
    plain.inc()
    level.dec()
    assert registry.get_sample_value("things_total") == 4
    assert registry.get_sample_value("open") == 0


def test_another_number_of_labels_is_an_error() -> None:
    kinds = Counters("kinds_total", "Things.", {"kind": ()}, registry=CollectorRegistry())
    with pytest.raises(ValueError, match="label"):
        kinds.labels("a", "b")


@given(st.lists(st.sampled_from([0.0, 0.4, 0.5, 0.75, 1.0, 2.4999, 2.5, 2.6, 1e9]), max_size=30))
def test_a_histogram_is_the_librarys_own(amounts: list[float]) -> None:
    registry, other = CollectorRegistry(), CollectorRegistry()
    ours = Histogram("took", "Time.", buckets=BOUNDS, registry=registry)
    theirs = prometheus_client.Histogram("took", "Time.", buckets=BOUNDS, registry=other)
    for number, amount in enumerate(amounts):
        ours.observe(amount)
        theirs.observe(amount)
        if number % 7 == 0:
            ours.flush()

    def samples(which: CollectorRegistry) -> list[tuple[str, dict[str, str], float]]:
        return [
            (sample.name, sample.labels, pytest.approx(sample.value))
            for family in which.collect()
            for sample in family.samples
            if not sample.name.endswith("_created")
        ]

    assert samples(registry) == samples(other)


def test_a_flush_shows_the_counts_to_other_processes(tmp_path: Path) -> None:
    counted = """
from gateway.watch import metrics
refunds = metrics.counter("sendgate_refunds_total", "Charges given back.")
messages = metrics.counters(
    "sendgate_messages_total", "Messages.", {"tenant": (), "outcome": ("relayed", "held")}
)
seconds = metrics.histogram("sendgate_relay_seconds", "Of a relay.")
sessions = metrics.level("sendgate_sessions", "Open now.")
logins = metrics.counters("sendgate_logins_total", "Logins.", {"result": ("accepted", "refused")})
refunds.inc(3)
messages.expect("acme")
messages.labels("acme", "relayed").inc()
seconds.observe(0.003)
sessions.inc()
metrics.flush()
refunds.inc()
"""
    environment = {"PROMETHEUS_MULTIPROC_DIR": str(tmp_path)}
    subprocess.run([sys.executable, "-c", counted], env=environment, check=True, timeout=60)
    from gateway.watch.admin import _collect

    text = _collect(str(tmp_path)).decode()
    assert "sendgate_refunds_total 3.0" in text, "what came after the flush is lost with us"
    assert 'sendgate_messages_total{outcome="relayed",tenant="acme"} 1.0' in text
    assert 'sendgate_messages_total{outcome="held",tenant="acme"} 0.0' in text, "known from now on"
    assert 'sendgate_logins_total{result="refused"} 0.0' in text, "known from the start"
    assert 'sendgate_relay_seconds_bucket{le="0.005"} 1.0' in text
    assert "sendgate_relay_seconds_sum 0.003" in text
    assert "sendgate_sessions 1.0" in text
