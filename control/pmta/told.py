"""What a PowerMTA says of itself, as its agent tells it, and what is wrong with that. Pure.

Sources: `/status` of the web monitor (guide, web monitor: `data.status.traffic`, `conn`, `queue`,
`spool`), which `pmta --json show status` gives, too; what `show license` and `show version` look
like as JSON no public page says, so fields are found by what their names hold.
"""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

UNLIMITED = 4_294_967_295
"""Units of a licence that has no bound: 2^32 - 1."""
NEVER = "never"
ENDING = 30 * 86_400_000
"""Milliseconds before a licence's end from which on it is something wrong."""
SILENT = 900_000
"""Milliseconds without a word, fifteen of them missed, that are something wrong."""


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """One PowerMTA; null where it did not say."""

    version: str = ""
    licence_end: str = ""
    """`YYYY-MM-DD`, or `never`; empty: it did not say."""
    licence_units: int | None = None
    licence_unlimited: bool = False
    queued: int | None = None
    """Recipients in its queues."""
    spool_most: int | None = None
    """Recipients that its spool takes."""
    in_last_hour: int | None = None
    """Recipients."""
    out_last_hour: int | None = None
    connections_in: int | None = None
    connections_in_most: int | None = None
    connections_out: int | None = None
    connections_out_most: int | None = None
    problems: tuple[str, ...] = ()
    """What could not be asked, and why."""


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """What an agent posts each minute."""

    agent: str
    agent_version: str
    server: str
    told: Told


class ToldView(msgspec.Struct, frozen=True, kw_only=True):
    """What one server's agent told last."""

    server: str
    agent: str
    agent_version: str
    at: int
    """When, calendar milliseconds."""
    age: float
    """Seconds since then."""
    told: Told
    troubles: list[str]
    """What is wrong, each a sentence."""


def of_status(answer: Any) -> dict[str, Any]:
    """Fields of `Told`, out of `show status`."""
    status = _inside(answer, "status")
    traffic, conn = _inside(status, "traffic"), _inside(status, "conn")
    spool, queue = _inside(status, "spool"), _inside(_inside(status, "queue"), "smtp")
    hour, smtp_in, smtp_out = (
        _inside(traffic, "lastHr"),
        _inside(conn, "smtpIn"),
        _inside(conn, "smtpOut"),
    )
    queued = _number(queue, "rcp")
    return {
        "queued": _number(spool, "totalRcp") if queued is None else queued,
        "spool_most": _number(spool, "maxRcp"),
        "in_last_hour": _number(_inside(hour, "in"), "rcp"),
        "out_last_hour": _number(_inside(hour, "out"), "rcp"),
        "connections_in": _number(smtp_in, "cur"),
        "connections_in_most": _number(smtp_in, "max"),
        "connections_out": _number(smtp_out, "cur"),
        "connections_out_most": _number(smtp_out, "max"),
    }


def of_licence(answer: Any) -> dict[str, Any]:
    """Fields of `Told`, out of `show license`."""
    found: dict[str, Any] = {}
    for name, value in _leaves(answer):
        if "expir" in name and "licence_end" not in found:
            found["licence_end"] = _end(str(value))
        elif "unit" in name and "licence_units" not in found:
            text = str(value).replace(",", "").strip()
            unlimited = text.lower() == "unlimited" or text == str(UNLIMITED)
            found["licence_unlimited"] = unlimited
            found["licence_units"] = int(text) if text.isdigit() and not unlimited else None
    return found


def of_version(answer: Any) -> dict[str, Any]:
    """Fields of `Told`, out of `show version`."""
    texts = [str(value) for name, value in _leaves(answer) if "version" in name]
    return {"version": texts[0][:64]} if texts else {}


def ends_at(told: Told) -> int | None:
    """When the licence ends, calendar milliseconds; 0: never; None: it did not say."""
    if told.licence_end == NEVER:
        return 0
    try:
        end = datetime.strptime(told.licence_end, "%Y-%m-%d").replace(tzinfo=UTC)
    except ValueError:
        return None
    # The day itself is a day of it.
    return round((end + timedelta(days=1)).timestamp() * 1000)


def troubles(server: str, told: Told, at: int, now: int) -> list[str]:
    """Sentences; times in calendar milliseconds."""
    found = []
    if now - at > SILENT:
        found.append(f"the agent of {server} has said nothing for {(now - at) // 60_000} minutes")
    end = ends_at(told)
    if end and end - now < ENDING:
        when = "has ended" if end <= now else "ends"
        found.append(f"PowerMTA's licence of {server} {when} on {told.licence_end}")
    return found + [f"PowerMTA of {server}: {problem}" for problem in told.problems]


def _end(text: str) -> str:
    text = text.strip()
    if text.lower() in ("", "never", "none", "0", "false"):
        return NEVER
    if match := re.match(r"\d{4}-\d\d-\d\d", text):
        return match[0]
    if match := re.match(r"(\d\d)/(\d\d)/(\d{4})", text):
        return f"{match[3]}-{match[1]}-{match[2]}"
    if text.isdigit() and 8 < len(text) < 12:
        return datetime.fromtimestamp(int(text), UTC).strftime("%Y-%m-%d")
    return ""


def _inside(answer: Any, name: str) -> Any:
    """The object of that name, at the top or in the envelope `{"status": "success", "data": …}`."""
    if isinstance(answer, dict):
        found = answer.get(name)
        if isinstance(found, dict):
            return found
        if isinstance(answer.get("data"), dict):
            return _inside(answer["data"], name)
    return {}


def _number(answer: Any, name: str) -> int | None:
    value = answer.get(name) if isinstance(answer, dict) else None
    text = str(value).replace(",", "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 16 else None


def _leaves(answer: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(answer, dict):
        for key, value in answer.items():
            yield from _leaves(value, str(key).lower())
    elif isinstance(answer, list):
        for value in answer:
            yield from _leaves(value, name)
    else:
        yield name, answer
