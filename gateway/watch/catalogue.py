"""The catalogue of metrics for operators: `python -m gateway.watch.catalogue` > deploy/METRICS.md.

Read from the declarations themselves, so that it lists what a gateway serves and nothing else.
"""

import sys
from importlib import import_module
from pkgutil import walk_packages

import msgspec
from prometheus_client import Counter, Gauge
from prometheus_client.metrics import MetricWrapperBase

import gateway
from gateway.watch import metrics

_HEAD = """\
# Metrics of the gateway

Served at `/metrics` on the admin port (`gateway.admin_host`, `gateway.admin_port`). Values of all
workers of one gateway are put together: counters and histograms add up, a gauge says how in its
type. A counter survives the death of a worker, not a restart of the gateway. Counts are shown
within a second; a worker that is killed loses those of its last second. Every label comes
from the generation in force or from a fixed list, never from a client. A histogram also has
`_bucket`, `_sum` and `_count`; its times are seconds.

Made by `python -m gateway.watch.catalogue`.

| name | type | labels | meaning |
|---|---|---|---|
"""

_GAUGES = {
    "livesum": "sum",
    "livemin": "lowest",
    "livemax": "highest",
    "mostrecent": "latest",
}


class Entry(msgspec.Struct, frozen=True):
    """One metric as it is served."""

    name: str
    type: str
    labels: tuple[str, ...]
    help: str


def entries() -> list[Entry]:
    """Every metric that a module of the gateway declares, by name."""
    for module in walk_packages(gateway.__path__, "gateway."):
        if not module.name.endswith("__main__"):
            import_module(module.name)
    return sorted(map(_entry, metrics.declared()), key=lambda entry: entry.name)


def _entry(metric: MetricWrapperBase) -> Entry:
    # The library takes `_total` off a counter's name and puts it back when it serves it.
    name = f"{metric._name}_total" if isinstance(metric, Counter) else metric._name
    kind = metric._type or ""
    if isinstance(metric, Gauge):
        kind = f"gauge, {_GAUGES[metric._multiprocess_mode]} of the workers"
    return Entry(name, kind, tuple(metric._labelnames), metric._documentation)


def catalogue() -> str:
    """The whole page, as Markdown."""
    return _HEAD + "".join(_row(entry) for entry in entries())


def _row(entry: Entry) -> str:
    labels = ", ".join(f"`{label}`" for label in entry.labels) or "none"
    return f"| `{entry.name}` | {entry.type} | {labels} | {entry.help} |\n"


if __name__ == "__main__":
    sys.stdout.write(catalogue())
