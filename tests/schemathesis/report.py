"""What one run of schemathesis found, from the events it writes, less what is excused."""

import base64
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

ROLES = ("admin", "operator", "viewer", "read", "scrape", "tenant", "nobody")
"""As whom it is asked: people and tokens of all tenants, a token of one, and without any."""


class Exclusion(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A finding that is meant so."""

    check: str
    operation: str
    reason: str
    said: str = ""

    def excuses(self, found: "Finding") -> bool:
        """Whether it is about this."""
        return (
            self.check == found.check
            and re.fullmatch(self.operation, found.operation) is not None
            and re.search(self.said, found.answer) is not None
        )


class Finding(msgspec.Struct, frozen=True):
    """One check that failed, for one case."""

    operation: str
    check: str
    message: str
    request: str
    answer: str

    def line(self) -> str:
        """For who mends it."""
        parts = (self.operation, self.check, self.message, self.request, self.answer)
        return " | ".join(re.sub(r"\s+", " ", part)[:400] for part in parts)


class Report(msgspec.Struct):
    """Of one role."""

    role: str
    operations: set[str] = msgspec.field(default_factory=set)
    cases: int = 0
    statuses: dict[int, int] = msgspec.field(default_factory=dict)
    findings: list[Finding] = msgspec.field(default_factory=list)
    excused: dict[Exclusion, int] = msgspec.field(default_factory=dict)
    errors: list[str] = msgspec.field(default_factory=list)


def exclusions(file: Path) -> list[Exclusion]:
    """Of the file. Raises msgspec.ValidationError for one without a reason."""
    found = tomllib.loads(file.read_text(encoding="utf-8")).get("exclusion", [])
    return [msgspec.convert(one, Exclusion) for one in found]


def read(role: str, events: Path, excused: list[Exclusion]) -> Report:
    """The report of one run."""
    report = Report(role)
    with events.open("rb") as lines:
        for line in lines:
            # It writes lone surrogates that no JSON text has; they are in no field we read.
            event = msgspec.json.decode(_SURROGATE.sub(b"?", line))
            if "NonFatalError" in event:
                error = event["NonFatalError"]
                report.errors.append(f"{error['label']}: {error['value'].get('message')}")
            elif "ScenarioFinished" in event:
                _add(report, event["ScenarioFinished"]["recorder"], excused)
    return report


_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F][0-9a-fA-F]{2}")


def _add(report: Report, recorder: dict[str, Any], excused: list[Exclusion]) -> None:
    answered = recorder.get("interactions", {})
    for case, one in answered.items():
        if one.get("response") is None:
            continue
        report.cases += 1
        report.operations.add(recorder["label"])
        status = one["response"]["status_code"]
        report.statuses[status] = report.statuses.get(status, 0) + 1
        for found in _findings(recorder, case, one):
            why = next((x for x in excused if x.excuses(found)), None)
            if why is None:
                report.findings.append(found)
            else:
                report.excused[why] = report.excused.get(why, 0) + 1


def _findings(recorder: dict[str, Any], case: str, one: dict[str, Any]) -> Iterator[Finding]:
    asked, got = one["request"], one["response"]
    for check in recorder.get("checks", {}).get(case, ()):
        if check["status"] != "failure":
            continue
        failure = check["failure_info"]["failure"]
        yield Finding(
            recorder["label"],
            check["name"],
            f"{failure['title']}: {failure['message']}",
            f"{asked['method']} {asked['uri']} {_text(asked.get('body'))}",
            f"{got['status_code']} {_text(got.get('content'))}",
        )


def _text(body: Any) -> str:
    packed = body.get("$base64") if isinstance(body, dict) else None
    return base64.b64decode(packed).decode("utf-8", "replace") if packed else ""


def table(reports: list[Report]) -> str:
    """Roles with their numbers."""
    lines = [
        f"{'role':<10} {'operations':>10} {'cases':>7} {'findings':>8} {'excused':>8}  answers"
    ]
    for one in reports:
        answers = " ".join(f"{status}×{n}" for status, n in sorted(one.statuses.items()))
        lines.append(
            f"{one.role:<10} {len(one.operations):>10} {one.cases:>7} {len(one.findings):>8} "
            f"{sum(one.excused.values()):>8}  {answers}"
        )
    return "\n".join(lines)
