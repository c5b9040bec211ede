"""deploy/METRICS.md lists what the gateway declares, and no label is of a client's making."""

import re

from control.watch.declared import DECLARED
from control.watch.engine import ENGINE
from gateway.hold_port import Kept
from gateway.watch import metrics
from gateway.watch.catalogue import catalogue, entries
from policy.denial import Limit
from tests.support.repository import ROOT

FILE = ROOT / "deploy" / "METRICS.md"
RULES = ROOT / "deploy" / "prometheus" / "rules.yaml"

OF_A_CLIENTS_MAKING = (
    "recipient", "sender", "message", "address", "peer", "ip", "mailbox", "subject", "login",
    "client", "envelope", "attempt", "job", "campaign", "domain", "why", "text", "reply",
)  # fmt: skip


def test_page_is_the_one_the_declarations_make() -> None:
    assert FILE.read_text(encoding="utf-8") == catalogue(), (
        "run: python -m gateway.watch.catalogue > deploy/METRICS.md"
    )


def test_every_metric_of_the_registry_is_listed() -> None:
    served = {family.name for family in metrics.REGISTRY.collect()}
    listed = {entry.name.removesuffix("_total") for entry in entries()}
    assert served == listed
    assert len(listed) == len(entries())


def test_values_that_are_known_are_there_from_the_start() -> None:
    """Who watches a rate would miss the first of each."""
    assert entries()
    value = metrics.REGISTRY.get_sample_value
    for limit in (*(limit.value for limit in Limit), "hold"):
        assert value("sendgate_denials_total", {"limit": limit}) is not None
    for kept in Kept:
        assert value("sendgate_hold_kept_total", {"result": kept.value}) is not None
    of_the_generation = {"messages", "duplicates", "recipients_relayed"}
    for family in metrics.REGISTRY.collect():
        if family.type == "counter":
            named = family.name.removeprefix("sendgate_")
            assert family.samples or named in of_the_generation, f"{named} knows no value"


def test_no_label_is_of_a_clients_making() -> None:
    labels = {(entry.name, label) for entry in entries() for label in entry.labels}
    found = [pair for pair in labels if set(pair[1].split("_")) & set(OF_A_CLIENTS_MAKING)]
    assert not found


def test_every_metric_has_a_help_sentence_and_a_name_of_ours() -> None:
    for entry in entries():
        assert re.fullmatch(r"sendgate_[a-z_]+", entry.name)
        assert entry.help[0].isupper() or entry.help[0].isdigit()
        assert entry.help.endswith(".")
        assert "|" not in entry.help


def test_alerts_watch_metrics_that_exist() -> None:
    served = {entry.name for entry in entries()}
    histograms = {entry.name for entry in entries() if entry.type == "histogram"}
    served |= {one.name for one in (*DECLARED, *ENGINE)}
    served |= {f"{name}_{part}" for name in histograms for part in ("bucket", "sum", "count")}
    text = re.sub(r"#.*", "", RULES.read_text(encoding="utf-8"))
    watched = set(re.findall(r"\b(?:sendgate|warmup|email_engine)_[a-z_]+", text))
    assert watched
    assert watched <= served
