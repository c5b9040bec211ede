"""A scenario from real traffic: a CSV of time, sender, recipient domain becomes TOML.

Each sender's domain becomes a tenant, the smallest of more than a hundred one group; hours, mix
and messages a mailbox and day are those of the file. Rates, quotas and the clock are not in it:
they are the defaults, to be edited.
Failure: ScenarioError with the line and what is wrong with it.
"""

import csv
import io
import json
import math
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from pathlib import Path

from loadtest.laboratory.reading import ScenarioError, parse

_LADDER = (50, 200, 500, 1_500, 5_000, 10_000)
_MOST_DAYS = 7
_GROUPS = 99
"""Sender domains with a table of their own; a scenario has at most a hundred."""
_DOMAINS = 50
"""Recipient domains with a table of their own."""
_Say = Callable[..., None]
_DOMAIN = re.compile(r"[a-z0-9-]{1,60}(\.[a-z0-9-]{1,60})+")


class _Traffic:
    """What the file says, summed."""

    def __init__(self) -> None:
        self.senders: dict[str, Counter[str]] = defaultdict(Counter)
        """Of each domain."""
        self.days: dict[str, Counter[str]] = defaultdict(Counter)
        """Messages of each sender's domain, by date."""
        self.dates: set[str] = set()
        self.hours = [0] * 24
        self.recipients: Counter[str] = Counter()

    def add(self, row: list[str]) -> None:
        """Raises ValueError with what is wrong."""
        if len(row) != 3:
            raise ValueError(
                f"{len(row)} column{'' if len(row) == 1 else 's'}; wanted are time, sender, "
                "recipient domain, with commas between them"
            )
        when, sender = _moment(row[0].strip()), row[1].strip().lower()
        local, at, domain = sender.rpartition("@")
        if not (local and at and _DOMAIN.fullmatch(domain)):
            raise ValueError(f"{sender[:80]!r} is no sender such as news@shop.example")
        recipient = row[2].strip().lower().rpartition("@")[2]
        if not _DOMAIN.fullmatch(recipient):
            raise ValueError(f"{recipient[:80]!r} is no recipient domain such as gmail.com")
        date = when.date().isoformat()
        self.senders[domain][sender] += 1
        self.days[domain][date] += 1
        self.dates.add(date)
        self.hours[when.hour] += 1
        self.recipients[recipient] += 1


def from_csv(path: Path) -> str:
    """The TOML. Raises ScenarioError."""
    try:
        # Spreadsheets begin a file with a byte order mark.
        with path.open(encoding="utf-8-sig", newline="") as file:
            traffic = _read(path, csv.reader(file))
    except UnicodeDecodeError as error:
        raise ScenarioError(str(path), ["cannot be read: it is no UTF-8"]) from error
    except OSError as error:
        raise ScenarioError(str(path), [f"cannot be read: {error.strerror}"]) from error
    except csv.Error as error:
        raise ScenarioError(str(path), [f"cannot be read: {error}"]) from error
    text = _toml(path.stem, traffic)
    # What was made here must be one of ours, whatever the file had.
    parse(text, f"{path}, as a scenario")
    return text


def _read(path: Path, rows: Iterable[list[str]]) -> _Traffic:
    found = _Traffic()
    for number, row in enumerate(rows, 1):
        if not row or (number == 1 and row[0].strip().lower() == "time"):
            continue
        try:
            found.add(row)
        except ValueError as error:
            raise ScenarioError(str(path), [f"line {number}: {error}"]) from error
    if not found.dates:
        raise ScenarioError(
            str(path), ["has no message; wanted are time, sender, recipient domain"]
        )
    return found


def _moment(text: str) -> datetime:
    """UTC, from ISO 8601 (UTC where it names no zone) or seconds since 1970."""
    try:
        if re.fullmatch(r"[0-9]{1,11}(\.[0-9]+)?", text):
            return datetime.fromtimestamp(float(text), UTC)
        found = datetime.fromisoformat(text)
    except (ValueError, OverflowError, OSError) as error:
        raise ValueError(
            f"{text[:40]!r} is no time such as 2026-03-01T09:00:00Z or 1772355600"
        ) from error
    return (found if found.tzinfo else found.replace(tzinfo=UTC)).astimezone(UTC)


def _toml(name: str, traffic: _Traffic) -> str:
    said = io.StringIO()
    days = len(traffic.dates)
    total = sum(traffic.hours)
    senders = f"{sum(len(of) for of in traffic.senders.values()):,} senders"

    def say(*lines: str) -> None:
        print(*lines, sep="\n", file=said)

    say(
        f"# {total:,} messages of {senders} at {len(traffic.senders):,} domains on {days} days.",
        "# Rates, quotas and the clock are not in the traffic: they are defaults to edit.",
        f"name = {json.dumps(name[:60] or 'traffic')}",
    )
    ordered = sorted(traffic.senders, key=lambda d: (-sum(traffic.days[d].values()), d))
    for place, domain in enumerate(ordered[:_GROUPS], 1):
        of = traffic.days[domain]
        say("", f"# {domain}", "[[tenants]]", f'name = "tenant-{place}"')
        _group(say, len(traffic.senders[domain]), sum(of.values()) / days, max(of.values()))
    if rest := ordered[_GROUPS:]:
        mailboxes = math.ceil(sum(len(traffic.senders[d]) for d in rest) / len(rest))
        sent = sum(sum(traffic.days[d].values()) for d in rest) / days / len(rest)
        say("", f"# {len(rest):,} domains more, alike", "[[tenants]]", 'name = "rest"')
        say(f"count = {len(rest)}")
        _group(say, mailboxes, sent, max(max(traffic.days[d].values()) for d in rest))
    _providers(say, traffic.recipients)
    highest = max(traffic.hours)
    curve = ", ".join(f"{100 * n / highest:.3g}" for n in traffic.hours)
    say("", "[days]", f"days = {min(days, _MOST_DAYS)}", f"curve = [{curve}]")
    return said.getvalue()


def _group(say: _Say, mailboxes: int, a_day: float, most: int) -> None:
    """`a_day`: messages of each tenant; `most`: of one on its fullest day."""
    fits = [stage for stage, quota in enumerate(_LADDER, 1) if quota >= most]
    say(f"mailboxes = {mailboxes}", f"per_mailbox = {a_day / mailboxes:.4g}")
    say(f"stages = [{fits[0] if fits else len(_LADDER)}]")
    say(f"ips = {max(1, math.ceil(most / _LADDER[-1]))}")


def _providers(say: _Say, recipients: Counter[str]) -> None:
    named = recipients.most_common(_DOMAINS)
    taken: set[str] = set()
    for domain, count in named:
        name = f"d-{domain.replace('.', '-')}"[:28]
        while name in taken:
            name = f"{name[:26]}-{len(taken)}"
        taken.add(name)
        say("", f"[providers.{name}]", f"share = {_share(count, recipients)}")
        say(f'domains = ["{domain}"]')
    if rest := recipients.total() - sum(count for _, count in named):
        say("", f"# {len(recipients) - len(named):,} domains more", "[providers.rest]")
        say(f"share = {_share(rest, recipients)}", 'domains = ["rest.example"]')


def _share(count: int, recipients: Counter[str]) -> str:
    return f"{100 * count / recipients.total():.4g}"
