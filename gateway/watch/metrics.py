"""The doors by which metrics are declared, beside the code that counts, and what shows them.

Every label is bounded: names from the generation, never a client's. Values that are known are there
from the start, as 0: who watches a rate would miss the first of each. With several workers the
values add up across processes (prometheus-client's multiprocess mode, PROMETHEUS_MULTIPROC_DIR);
`deploy/METRICS.md` lists them all and a test keeps it true. Counts are kept in this process
(`watch.tally`) and shown after `flush`, which comes once a second and at the end: a process that is
killed loses at most the counts of its last second.
"""

from collections.abc import Iterable, Mapping
from typing import Literal

from prometheus_client import CollectorRegistry, Gauge
from prometheus_client.metrics import MetricWrapperBase

from gateway.watch.tally import Counter, Counters, Histogram, Level, Tally

REGISTRY = CollectorRegistry(auto_describe=True)
SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 25)
SIZES = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024)

_declared: list[Tally | Gauge] = []


def counter(name: str, meaning: str) -> Counter:
    """A sum that only grows. `name` ends in `_total`; `meaning` is a sentence for operators."""
    made = Counter(name, meaning, registry=REGISTRY)
    _declared.append(made)
    return made


def counters(name: str, meaning: str, labels: Mapping[str, Iterable[str]]) -> Counters:
    """One counter for each of the labels' values: those that are known, none for a label whose
    values the generation has (`Counters.expect`)."""
    made = Counters(name, meaning, labels, registry=REGISTRY)
    _declared.append(made)
    return made


def histogram(name: str, meaning: str, buckets: tuple[float, ...] = SECONDS) -> Histogram:
    """`buckets`: upper bounds, rising."""
    made = Histogram(name, meaning, buckets=buckets, registry=REGISTRY)
    _declared.append(made)
    return made


def level(name: str, meaning: str) -> Level:
    """A gauge that is counted up and down; the workers' add up."""
    gauge = Gauge(name, meaning, multiprocess_mode="livesum", registry=None)
    made = Level(gauge, registry=REGISTRY)
    _declared.append(made)
    return made


def gauge(
    name: str,
    meaning: str,
    labels: Iterable[str] = (),
    *,
    workers: Literal["livesum", "livemin", "livemax", "mostrecent"] = "livesum",
) -> Gauge:
    """What is found by looking. `workers`: how those of several processes are put together."""
    made = Gauge(name, meaning, labels, multiprocess_mode=workers, registry=REGISTRY)
    _declared.append(made)
    return made


def declared() -> list[MetricWrapperBase]:
    """Those of the modules that are imported."""
    return [one if isinstance(one, Gauge) else one.metric for one in _declared]


def flush() -> None:
    """Make what was counted visible to whoever reads the metrics of this process."""
    for one in _declared:
        if not isinstance(one, Gauge):
            one.flush()
