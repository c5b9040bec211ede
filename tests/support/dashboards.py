"""The committed dashboards of Grafana, and what they ask Prometheus for."""

import json
import re
from typing import Any, NamedTuple

from tests.support.repository import ROOT

FOLDER = ROOT / "deploy" / "grafana"
OURS = re.compile(r"\b(?:sendgate|warmup|email_engine)_[a-z_]+\b")

_FILLED = {"$__rate_interval": "1m", "$__range": "5m"}
"""As Grafana would; what is left is a variable, of which all is chosen."""


class Ask(NamedTuple):
    """One query of a panel."""

    file: str
    panel: str
    expression: str
    """With its variables replaced."""


def dashboards() -> dict[str, dict[str, Any]]:
    """By file name."""
    files = sorted(FOLDER.glob("*.json"))
    return {file.name: json.loads(file.read_text(encoding="utf-8")) for file in files}


def filled(expression: str) -> str:
    """As it goes to Prometheus."""
    for name, value in _FILLED.items():
        expression = expression.replace(name, value)
    return re.sub(r"\$[a-z]+", ".*", expression)


def asks() -> list[Ask]:
    """Every query of every panel."""
    return [
        Ask(name, panel["title"], filled(target["expr"]))
        for name, dashboard in dashboards().items()
        for panel in dashboard["panels"]
        for target in panel.get("targets", ())
    ]
