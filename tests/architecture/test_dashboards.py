"""Grafana's dashboards are what their script makes, have the form that Grafana imports, and ask for
nothing that is not served; files of Prometheus and Alertmanager are what these programs take."""

import importlib.util
import itertools
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.support.dashboards import FOLDER, OURS, asks, dashboards
from tests.support.repository import ROOT

PROMETHEUS = ROOT / "deploy" / "prometheus"
CATALOGUES = (ROOT / "deploy" / "METRICS.md", ROOT / "deploy" / "CONTROL-METRICS.md")
KINDS = {"row", "stat", "bargauge", "timeseries"}
NAMED = {
    "Health", "Hourly rate", "Quota completion", "Top mailboxes", "Failed rate", "Worker spread",
}  # fmt: skip
"""Panels that operators' documents look for in `warmup-dashboard.json`."""

needs_promtool = pytest.mark.skipif(shutil.which("promtool") is None, reason="no promtool here")


def script() -> Any:
    """`deploy/grafana/make.py`, which is no package's."""
    spec = importlib.util.spec_from_file_location("dashboards", FOLDER / "make.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def catalogued() -> set[str]:
    """Of the pages, with the parts of a histogram."""
    rows = [
        re.match(r"\| `([a-z_]+)` \| (histogram)?", line)
        for page in CATALOGUES
        for line in page.read_text(encoding="utf-8").splitlines()
    ]
    found = {row[1]: row[2] for row in rows if row}
    parts = {f"{n}_{p}" for n, kind in found.items() if kind for p in ("bucket", "sum", "count")}
    return set(found) | parts


def test_what_is_committed_is_what_the_script_makes() -> None:
    made = script()
    expected = {name: made.text(dashboard) for name, dashboard in made.dashboards().items()}
    committed = {file.name: file.read_text(encoding="utf-8") for file in FOLDER.glob("*.json")}
    assert committed == expected, "run: make dashboards"


def test_a_metric_that_is_not_served_stops_the_script(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    panel = '[[panels]]\nrow = "r"\ntitle = "t"\nunit = "s"\nasks = [["sendgate_nowhere", ""]]\n'
    (tmp_path / "x.toml").write_text(f'uid = "x"\ntitle = "x"\nquestion = "?"\n{panel}')
    made = script()
    monkeypatch.setattr(made, "PANELS", tmp_path)
    with pytest.raises(KeyError, match="sendgate_nowhere"):
        made.dashboards()


def test_they_are_those_that_people_import() -> None:
    found = dashboards()
    assert set(found) == {
        "control.json",
        "gateway.json",
        "hold.json",
        "overview.json",
        "providers.json",
        "warmup-dashboard.json",
        "warmup-ips.json",
    }
    assert {panel["title"] for panel in found["warmup-dashboard.json"]["panels"]} >= NAMED
    uids = [one["uid"] for one in found.values()]
    assert len(set(uids)) == len(uids)
    assert all(re.fullmatch(r"[a-z-]{1,40}", uid) for uid in uids)


@pytest.mark.parametrize("name", sorted(dashboards()))
def test_form(name: str) -> None:
    dashboard = dashboards()[name]
    assert {"uid", "title", "schemaVersion", "panels", "templating", "time"} <= set(dashboard)
    assert "id" not in dashboard, "Grafana gives it"
    panels = dashboard["panels"]
    ids = [panel["id"] for panel in panels]
    assert len(set(ids)) == len(ids)
    variables = {one["name"]: one for one in dashboard["templating"]["list"]}
    assert variables.pop("datasource")["type"] == "datasource"
    source = {"type": "prometheus", "uid": "${datasource}"}
    assert all(one["datasource"] == source for one in variables.values())
    for panel in panels:
        assert panel["type"] in KINDS
        if panel["type"] == "row":
            continue
        assert panel["datasource"] == source
        assert panel["fieldConfig"]["defaults"]["unit"]
        assert panel["description"]
        targets = panel["targets"]
        assert targets
        assert all(one["datasource"] == source for one in targets)
        assert len({one["refId"] for one in targets}) == len(targets)
        used = {v for one in targets for v in re.findall(r"\$([a-z]+)", one["expr"])}
        assert used <= set(variables)
    titles = [panel["title"] for panel in panels]
    assert len(set(titles)) == len(titles)


@pytest.mark.parametrize("name", sorted(dashboards()))
def test_panels_lie_beside_each_other(name: str) -> None:
    places = [panel["gridPos"] for panel in dashboards()[name]["panels"]]
    for place in places:
        assert place["x"] >= 0
        assert place["w"] > 0
        assert place["h"] > 0
        assert place["x"] + place["w"] <= 24
    for a, b in itertools.combinations(places, 2):
        beside = a["x"] + a["w"] <= b["x"] or b["x"] + b["w"] <= a["x"]
        below = a["y"] + a["h"] <= b["y"] or b["y"] + b["h"] <= a["y"]
        assert beside or below, (a, b)


def test_they_ask_for_what_is_served_and_leave_nothing_out() -> None:
    served = catalogued()
    asked = {name for ask in asks() for name in OURS.findall(ask.expression)}
    assert asked <= served
    shown = {re.sub(r"_(?:bucket|sum|count)$", "", name) for name in asked} | asked
    whole = {n for n in served if not any(n == f"{o}_{p}" for o in served for p in PARTS)}
    assert whole <= shown, "a metric is on no dashboard"


def labelled() -> dict[str, set[str]]:
    """Metric to its labels, by the pages."""
    found: dict[str, set[str]] = {}
    for page in CATALOGUES:
        for line in page.read_text(encoding="utf-8").splitlines():
            if row := re.match(
                r"\| `([a-z_]+)` \|(?: [a-z, ]+ \|)? ((?:`\w+`(?:, )?)+|none) \|", line
            ):
                found.setdefault(row[1], set()).update(re.findall(r"`(\w+)`", row[2]))
    return found


SCRAPED = {"job", "instance", "le"}
"""Labels that Prometheus adds, and that of histograms."""


@pytest.mark.parametrize("name", sorted(dashboards()))
def test_labels_are_those_of_the_metrics(name: str) -> None:
    """One that is not there would draw one line for all, or none."""
    known = labelled()
    for panel in dashboards()[name]["panels"]:
        for target in panel.get("targets", ()):
            text = target["expr"]
            asked = [re.sub(r"_(?:bucket|sum|count)$", "", one) for one in OURS.findall(text)]
            there = set().union(*(known[one] for one in asked)) | SCRAPED
            used = {v.strip() for by in re.findall(r"by \(([^)]+)\)", text) for v in by.split(",")}
            used |= set(re.findall(r"[{,](\w+)=", text))
            used |= set(re.findall(r"{{(\w+)}}", target["legendFormat"]))
            assert used <= there, (panel["title"], used - there)


PARTS = ("bucket", "sum", "count")


@needs_promtool
def test_every_query_parses(tmp_path: Path) -> None:
    rules = ["groups:", "- name: panels", "  rules:"]
    for number, ask in enumerate(asks()):
        rules += [f"  - record: panel:{number}", f"    expr: {ask.expression!r}"]
    file = tmp_path / "panels.yaml"
    # Python quotes with ' what has no ' in it, as YAML does.
    file.write_text("\n".join(rules) + "\n", encoding="utf-8")
    checked(["promtool", "check", "rules", str(file)])


@needs_promtool
def test_prometheus_takes_its_configuration(tmp_path: Path) -> None:
    shutil.copy(PROMETHEUS / "rules.yaml", tmp_path)
    (tmp_path / "token").write_text("x")
    text = (PROMETHEUS / "prometheus.yml").read_text(encoding="utf-8")
    assert text.count("/etc/prometheus/sendgate.token") == 2
    text = text.replace("/etc/prometheus/sendgate.token", str(tmp_path / "token"))
    (tmp_path / "prometheus.yml").write_text(text, encoding="utf-8")
    said = checked(["promtool", "check", "config", str(tmp_path / "prometheus.yml")])
    assert "1 rule files found" in said


@pytest.mark.skipif(shutil.which("amtool") is None, reason="no amtool here")
def test_alertmanager_takes_its_configuration() -> None:
    checked(["amtool", "check-config", str(PROMETHEUS / "alertmanager.yml")])


def test_what_silences_an_alert_is_an_alert() -> None:
    known = set(re.findall(r"- alert: (\w+)", (PROMETHEUS / "rules.yaml").read_text("utf-8")))
    text = (PROMETHEUS / "alertmanager.yml").read_text(encoding="utf-8")
    named = set(re.findall(r'alertname="(\w+)"', text))
    assert named
    assert named <= known


def checked(command: list[str]) -> str:
    """What it said; it found nothing wrong."""
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr
