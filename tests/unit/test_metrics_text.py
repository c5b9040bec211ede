"""Gauges and counters are written as Prometheus' own library writes them."""

import math

import prometheus_client
import pytest
from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

from control.watch.text import text
from control.watch.warmup import Families

VALUES = (0, 1, -1, 0.5, 1e6, 999_999.0, 1_234_567, 1e21, 1e-9, math.inf, -math.inf, math.nan)
LABELS = ("plain", "", 'a "quoted" one', "back\\slash", "two\nlines", "ümläut.example", "{},=")


def registry() -> CollectorRegistry:
    bare = GaugeMetricFamily("sendgate_bare", "Without labels.")
    bare.add_metric((), 3)
    empty = GaugeMetricFamily("sendgate_none", 'A "help"\nof two\\lines.', labels=("ip",))
    family = GaugeMetricFamily("sendgate_some", "With two.", labels=("zone", "ip"))
    for value in VALUES:
        for label in LABELS:
            family.add_metric((label, "192.0.2.1"), value)
    found = CollectorRegistry()
    counted = CounterMetricFamily("sendgate_counted_total", "A counter.", labels=("severity",))
    counted.add_metric(("info",), 3)
    found.register(Families([bare, empty, family, counted]))
    return found


def test_it_is_what_the_library_writes() -> None:
    assert text(registry()) == prometheus_client.generate_latest(registry()).decode()


@pytest.mark.parametrize("label", LABELS)
def test_each_label_by_itself(label: str) -> None:
    family = GaugeMetricFamily("sendgate_one", "One.", labels=("name",))
    family.add_metric((label,), 1)
    found = CollectorRegistry()
    found.register(Families([family]))
    assert text(found) == prometheus_client.generate_latest(found).decode()
