"""Counts kept in plain Python and added to prometheus-client's in bulk.

Owns: the objects that `watch.metrics` declares for what is counted on the message path. Not here:
when they are flushed (`gateway.process`: once a second and at the end of the process).
Rule: counting is an addition in this process (0.05 to 0.2 µs); prometheus-client's own is a lock
and a write into a mapped file for each event (1 µs a counter, 2 µs one found by its labels or a
histogram; tests/bench), several of them a message. Whoever collects from the registry of this
process gets everything: collecting flushes.
Failure: a process that is killed loses the counts of its last second. They are figures for
operators; what promises are kept by is in the ledger and the hold. One thread counts: the loop's.
"""

from bisect import bisect_left
from collections.abc import Iterable, Mapping
from itertools import product

import prometheus_client
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import CollectorRegistry


class Count:
    """A sum that only grows; one child of a counter, or all of one without labels."""

    __slots__ = ("_into", "_pending", "_shown")

    def __init__(self, into: prometheus_client.Counter) -> None:
        self._into = into
        self._shown: float = 0.0
        self._pending: float = 0.0

    def inc(self, amount: float = 1) -> None:
        self._pending += amount

    def flush(self) -> None:
        """Hand over what was counted since the last time."""
        if self._pending:
            pending, self._pending = self._pending, 0.0
            self._shown += pending
            self._into.inc(pending)

    @property
    def total(self) -> float:
        """All that was counted in this process."""
        return self._shown + self._pending


class Counter(Count):
    """A counter without labels."""

    __slots__ = ("metric",)

    def __init__(self, name: str, documentation: str, *, registry: CollectorRegistry) -> None:
        self.metric = prometheus_client.Counter(name, documentation, registry=None)
        super().__init__(self.metric)
        registry.register(self)

    def collect(self) -> Iterable[Metric]:
        self.flush()
        return self.metric.collect()


class Counters:
    """A counter with labels: one `Count` for each of their values."""

    __slots__ = ("_children", "_known", "metric")

    def __init__(
        self,
        name: str,
        documentation: str,
        labels: Mapping[str, Iterable[str]],
        *,
        registry: CollectorRegistry,
    ) -> None:
        """`labels`: each with the values that are known, which are there from the start."""
        self.metric = prometheus_client.Counter(name, documentation, list(labels), registry=None)
        self._children: dict[tuple[str, ...], Count] = {}
        self._known = [tuple(values) for values in labels.values()]
        for values in product(*self._known):
            self.labels(*values)
        registry.register(self)

    def expect(self, first: str) -> None:
        """A value of the first label that is known by now, with all those of the others."""
        for rest in product(*self._known[1:]):
            self.labels(first, *rest)

    def labels(self, *values: str) -> Count:
        """Raises ValueError for another number of labels than was declared."""
        child = self._children.get(values)
        if child is None:
            child = self._children[values] = Count(self.metric.labels(*values))
        return child

    def totals(self, label: int) -> dict[str, int]:
        """What was counted in this process by the values of one label, its number in the order of
        their names."""
        found: dict[str, int] = {}
        for values, child in self._children.items():
            found[values[label]] = found.get(values[label], 0) + round(child.total)
        return found

    def flush(self) -> None:
        for child in self._children.values():
            child.flush()

    def collect(self) -> Iterable[Metric]:
        self.flush()
        return self.metric.collect()


class Level:
    """A gauge that is counted up and down; how the processes' add up is prometheus-client's."""

    __slots__ = ("_pending", "metric")

    def __init__(self, metric: prometheus_client.Gauge, *, registry: CollectorRegistry) -> None:
        """`metric` is in no registry yet."""
        self.metric = metric
        self._pending = 0
        registry.register(self)

    def inc(self) -> None:
        self._pending += 1

    def dec(self) -> None:
        self._pending -= 1

    def flush(self) -> None:
        if self._pending:
            pending, self._pending = self._pending, 0
            self.metric.inc(pending)

    def collect(self) -> Iterable[Metric]:
        self.flush()
        return self.metric.collect()


class Histogram:
    """A histogram without labels."""

    __slots__ = ("_bounds", "_counts", "_sum", "metric")

    def __init__(
        self,
        name: str,
        documentation: str,
        *,
        buckets: tuple[float, ...],
        registry: CollectorRegistry,
    ) -> None:
        """`buckets`: upper bounds, rising; all above the last is counted too."""
        self.metric = prometheus_client.Histogram(
            name, documentation, buckets=buckets, registry=None
        )
        self._bounds = buckets
        self._counts = [0] * (len(buckets) + 1)
        self._sum = 0.0
        registry.register(self)

    def observe(self, amount: float) -> None:
        # A bound belongs to its own bucket (`le`).
        self._counts[bisect_left(self._bounds, amount)] += 1
        self._sum += amount

    def flush(self) -> None:
        counts, self._counts = self._counts, [0] * len(self._counts)
        total, self._sum = self._sum, 0.0
        # The library has no door for several observations at once.
        for bucket, count in zip(self.metric._buckets, counts, strict=True):
            if count:
                bucket.inc(count)
        if total:
            self.metric._sum.inc(total)

    def collect(self) -> Iterable[Metric]:
        self.flush()
        return self.metric.collect()


Tally = Counter | Counters | Level | Histogram
