"""Grafana's dashboards, made: `python deploy/grafana/make.py` writes each `panels/NAME.toml` as
`NAME.json` beside this file (classic JSON model, which every Grafana from 9 on imports).

Rule: a panel asks for nothing that the catalogues of metrics (deploy/METRICS.md,
deploy/CONTROL-METRICS.md) do not have, and says in its description what these say; what no panel
names is put on the dashboard whose `rest` is its catalogue, by its type. A metric that is declared
so has a panel, and one that is gone stops this script.
"""

import json
import re
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from control.watch.declared import DECLARED
from control.watch.engine import COUNTERS, ENGINE
from gateway.watch.catalogue import entries

HERE = Path(__file__).parent
PANELS = HERE / "panels"

NAME = re.compile(r"\b(?:sendgate|warmup|email_engine)_[a-z_]+\b")
SCHEMA = 38
"""Of Grafana 10; later ones bring it up to theirs."""
WIDE = 24
SIZES = {"stat": (4, 4), "bargauge": (8, 8), "timeseries": (8, 8)}
"""Width and height by kind of panel."""
SOURCE = {"type": "prometheus", "uid": "${datasource}"}
VARIABLES = {
    "instance": (
        "Gateway",
        'label_values(sendgate_ledger_usable{job="sendgate-gateway"}, instance)',
    ),
    "ip": ("IP", "label_values(email_engine_warmup_sent, ip)"),
    "provider": ("Provider", "label_values(sendgate_recipients_relayed_total, provider)"),
    "tenant": ("Tenant", "label_values(sendgate_messages_total, tenant)"),
}
UNITS = (
    ("_timestamp_seconds", "dateTimeAsIso"),
    ("_time_seconds", "dateTimeAsIso"),
    ("_seconds", "s"),
    ("_bytes", "bytes"),
    ("_ratio", "percentunit"),
    ("_pct", "percent"),
)


class Metric(NamedTuple):
    """One of a catalogue."""

    name: str
    kind: str
    """gauge, counter or histogram."""
    labels: tuple[str, ...]
    help: str


def gateways() -> dict[str, Metric]:
    """What a gateway serves."""
    found = (Metric(e.name, e.type.partition(",")[0], e.labels, e.help) for e in entries())
    return {one.name: one for one in found}


def controls() -> dict[str, Metric]:
    """What control serves."""
    counters = {one.name for one in COUNTERS}
    found = (
        Metric(d.name, "counter" if d.name in counters else "gauge", d.labels, d.help)
        for d in (*DECLARED, *ENGINE)
    )
    return {one.name: one for one in found}


def dashboards() -> dict[str, dict[str, Any]]:
    """File name to dashboard. Raises KeyError for a metric that is in no catalogue."""
    plans = {p.stem: tomllib.loads(p.read_text("utf-8")) for p in sorted(PANELS.glob("*.toml"))}
    by_job = {"gateway": gateways(), "control": controls()}
    known = {**by_job["control"], **by_job["gateway"]}
    drawn = {
        _metric(name, known).name
        for plan in plans.values()
        for panel in plan["panels"]
        for expression, _ in panel["asks"]
        for name in NAME.findall(expression)
    }
    for plan in plans.values():
        if job := plan.get("rest"):
            left = [one for name, one in sorted(by_job[job].items()) if name not in drawn]
            plan["panels"] += [_by_type(one, job) for one in left]
    return {f"{name}.json": _dashboard(plan, known) for name, plan in plans.items()}


def _metric(name: str, known: dict[str, Metric]) -> Metric:
    """The one of which `name` is, or is a part (`_bucket`, `_sum`, `_count`)."""
    if name in known:
        return known[name]
    whole = known[re.sub(r"_(?:bucket|sum|count)$", "", name)]
    if whole.kind != "histogram":
        raise KeyError(name)
    return whole


def _by_type(one: Metric, job: str) -> dict[str, Any]:
    """A panel for a metric that nothing else shows."""
    which = f'{{job="sendgate-{job}"' + (',instance=~"$instance"}' if job == "gateway" else "}")
    title = one.name.removeprefix("sendgate_").removeprefix("email_engine_").replace("_", " ")
    legend = " ".join(f"{{{{{label}}}}}" for label in one.labels) or "{{instance}}"
    by = ", ".join(one.labels or ("instance",))
    unit = next((unit for end, unit in UNITS if one.name.endswith(end)), "short")
    if one.kind == "counter":
        unit = "cps"
        asks = [[f"sum by ({by}) (rate({one.name}{which}[$__rate_interval]))", legend]]
    elif one.kind == "histogram":
        rate = f"sum by (le) (rate({one.name}_bucket{which}[$__rate_interval]))"
        asks = [[f"histogram_quantile({q}, {rate})", f"p{q * 100:.0f}"] for q in (0.5, 0.99)]
    else:
        times = " * 1000" if unit == "dateTimeAsIso" else ""
        asks = [[f"{one.name}{which}{times}", legend]]
    return {"row": "Everything else", "title": title.capitalize(), "asks": asks, "unit": unit}


def _dashboard(plan: dict[str, Any], known: dict[str, Metric]) -> dict[str, Any]:
    return {
        "uid": plan["uid"],
        "title": plan["title"],
        "description": plan["question"],
        "tags": ["sendgate"],
        "schemaVersion": SCHEMA,
        "version": 1,
        "editable": True,
        "graphTooltip": 1,
        "refresh": "30s",
        "timezone": "utc",
        "time": {"from": plan.get("from", "now-6h"), "to": "now"},
        "links": [
            {"type": "dashboards", "title": "Sendgate", "tags": ["sendgate"], "asDropdown": True}
        ],
        "annotations": {"list": []},
        "templating": {"list": [_source(), *map(_variable, plan.get("variables", ()))]},
        "panels": list(_panels(plan["panels"], known)),
    }


def _source() -> dict[str, Any]:
    return {
        "name": "datasource",
        "label": "Prometheus",
        "type": "datasource",
        "query": "prometheus",
        "current": {},
        "hide": 0,
    }


def _variable(name: str) -> dict[str, Any]:
    label, query = VARIABLES[name]
    return {
        "name": name,
        "label": label,
        "type": "query",
        "datasource": SOURCE,
        "definition": query,
        "query": {"query": query, "refId": name},
        "refresh": 2,
        "sort": 1,
        "multi": True,
        "includeAll": True,
        "allValue": ".*",
        "current": {"text": "All", "value": "$__all"},
        "hide": 0,
    }


def _panels(plans: list[dict[str, Any]], known: dict[str, Metric]) -> Iterator[dict[str, Any]]:
    """Rows of panels, from left to right."""
    number = x = y = height = 0
    row = ""
    for plan in plans:
        kind = plan.get("kind", "timeseries")
        w, h = SIZES[kind]
        w = plan.get("width", w)
        if plan["row"] != row or x + w > WIDE:
            x, y, height = 0, y + height, 0
        if plan["row"] != row:
            row, number = plan["row"], number + 1
            place = {"x": 0, "y": y, "w": WIDE, "h": 1}
            yield {
                "id": number,
                "type": "row",
                "title": row,
                "collapsed": False,
                "gridPos": place,
                "panels": [],
            }
            y += 1
        number += 1
        place = {"x": x, "y": y, "w": w, "h": h}
        yield {"id": number, "type": kind, "gridPos": place, **_panel(plan, kind, known)}
        x, height = x + w, max(height, h)


def _panel(plan: dict[str, Any], kind: str, known: dict[str, Metric]) -> dict[str, Any]:
    asks = plan["asks"]
    names = dict.fromkeys(n for expression, _ in asks for n in NAME.findall(expression))
    told = dict.fromkeys(f"{one.name}: {one.help}" for one in (_metric(n, known) for n in names))
    said = "\n\n".join([*([plan["note"]] if "note" in plan else []), *told])
    return {
        "title": plan["title"],
        "description": said,
        "datasource": SOURCE,
        "targets": [
            {
                "refId": chr(ord("A") + number),
                "datasource": SOURCE,
                "editorMode": "code",
                "expr": expression,
                "legendFormat": legend,
                "instant": kind != "timeseries",
                "range": kind == "timeseries",
            }
            for number, (expression, legend) in enumerate(asks)
        ],
        "fieldConfig": {"defaults": _field(plan, kind), "overrides": []},
        "options": OPTIONS[kind],
    }


def _field(plan: dict[str, Any], kind: str) -> dict[str, Any]:
    steps = [{"color": color, "value": value} for color, value in plan.get("steps", [])]
    field: dict[str, Any] = {
        "unit": plan["unit"],
        "color": {"mode": "thresholds" if steps else "palette-classic"},
        "thresholds": {
            "mode": "absolute",
            "steps": [{"color": plan.get("base", "green"), "value": None}, *steps],
        },
        "mappings": [
            {"type": "value", "options": {v: {"text": text} for v, text in plan["says"].items()}}
        ]
        if "says" in plan
        else [],
    }
    field |= {limit: plan[limit] for limit in ("min", "max") if limit in plan}
    if kind == "timeseries":
        stacked = {"mode": "normal" if plan.get("stacked") else "none", "group": "A"}
        fill = 30 if plan.get("stacked") else 5
        field["color"] = {"mode": "palette-classic"}
        field["custom"] = {"lineWidth": 1, "fillOpacity": fill, "stacking": stacked}
    return field


_LAST = {"calcs": ["lastNotNull"], "fields": "", "values": False}
OPTIONS: dict[str, dict[str, Any]] = {
    "stat": {"reduceOptions": _LAST, "colorMode": "background", "graphMode": "none"},
    "bargauge": {"reduceOptions": _LAST, "displayMode": "gradient", "orientation": "horizontal"},
    "timeseries": {
        "legend": {"displayMode": "list", "placement": "bottom", "showLegend": True},
        "tooltip": {"mode": "multi", "sort": "desc"},
    },
}


def text(dashboard: dict[str, Any]) -> str:
    """As it is committed."""
    return json.dumps(dashboard, indent=2, ensure_ascii=False) + "\n"


def main() -> None:
    """Write all of them; what no plan makes any more goes."""
    made = dashboards()
    for file in HERE.glob("*.json"):
        if file.name not in made:
            file.unlink()
    for name, dashboard in made.items():
        (HERE / name).write_text(text(dashboard), encoding="utf-8")
        sys.stdout.write(f"{name}: {len(dashboard['panels'])} panels\n")


if __name__ == "__main__":
    main()
